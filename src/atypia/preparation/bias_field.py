"""Evening out the slow shading that coils leave across a slice."""

from __future__ import annotations

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.scan import Image, Mask

# The field is fitted on a canvas of this side, in so many rounds; what departs from it by more than this
# factor is another tissue, or a lesion; and it may neither dim nor brighten by more than the last factor.
_SIDE = 56
_ROUNDS = 4
_OTHER, _STRONGEST = 1.35, 2.0
_FEWEST = 60


def bias_field(canvas: Image, interior: Mask, background: float) -> Image:
    """Return the factor (S, S) by which shading brightens a canvas (S, S), near 1, fitted inside (S, S).

    A quadratic surface is fitted to the logarithm of the tissue most common in the interior, and to nothing
    that departs from it: Dawant, Zijdenbos and Margolin, "Correction of intensity variations in MR images for
    computer-aided tissue classification", IEEE TMI 12(4) (1993), with the trimmed rounds of robust
    regression in place of reference points set by hand. A surface of second degree is too stiff to follow a
    lesion. A canvas too small or too dark for a fit has the factor 1 everywhere.
    """
    size = (_SIDE, _SIDE)
    values = _resized(canvas, size) - np.float32(background)
    inside = (_resized(interior.astype(np.float32), size) > 0.9) & (values > 0)
    if inside.sum() < _FEWEST:
        return np.ones_like(canvas)
    logs = np.log(values[inside].astype(np.float64))
    terms = _terms(_SIDE)[inside]
    surface = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        rest = logs - terms @ surface
        kept = np.abs(rest - np.median(rest)) < np.log(_OTHER)
        if kept.sum() < _FEWEST:
            return np.ones_like(canvas)
        level = float(np.median(logs))
        surface = np.linalg.lstsq(terms[kept], logs[kept] - level, rcond=None)[0]
    surface[0] = 0
    shading = _terms(len(canvas)) @ surface
    shading -= shading[interior].mean()
    limit = np.log(_STRONGEST)
    return np.exp(np.clip(shading, -limit, limit)).astype(np.float32)


def _terms(side: int) -> NDArray[np.float64]:
    """Return the terms (side, side, 6) of a quadratic surface over [-1, 1]."""
    axis = (2 * np.arange(side) + 1) / side - 1
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([np.ones_like(rows), rows, columns, rows**2, rows * columns, columns**2], axis=-1)


def _resized(values: Image, size: tuple[int, int]) -> Image:
    picture = PIL.Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize(size, PIL.Image.Resampling.BOX))
