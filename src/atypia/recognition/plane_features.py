"""What tells the plane of a slice: its symmetry, its outline, and where it is full of detail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.preparation import Prepared
from atypia.preparation.foreground import Foreground
from atypia.preparation.midline import find_midline

_HEIGHTS = (0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97)
_BANDS = 5
_SHADING, _RIM, _BRIGHTEST = 0.04, 0.03, 2.5


def plane_features(foreground: Foreground, prepared: Prepared) -> NDArray[np.float64]:
    """Return 21 numbers: the likeness of the left to the right and of the top to the bottom, then by height.

    By height from the top: the width of the head as a share of the widest, at nine places; the median
    intensity and the mean detail, each as a share of the whole head's, in five bands. The face is below the
    brain in a coronal slice and above it in an axial one, and a sagittal one has no mirror image.
    """
    turned = replace(
        foreground,
        mask=np.ascontiguousarray(foreground.mask.T),
        picture=np.ascontiguousarray(foreground.picture.T),
    )
    symmetry = [find_midline(one).confidence for one in (foreground, turned)]
    rows = np.flatnonzero(prepared.foreground.any(axis=1))
    if not rows.size:
        return np.array([*symmetry, *[1.0] * (len(_HEIGHTS) + 2 * _BANDS)])
    head = prepared.foreground[rows[0] : rows[-1] + 1]
    values = prepared.pixels[rows[0] : rows[-1] + 1]
    values = np.minimum(values / max(float(np.median(values[head])), 0.02), np.float32(_BRIGHTEST))
    count, side = len(head), len(prepared.pixels)
    widths = head.sum(axis=1)
    widths = widths[[min(int(height * count), count - 1) for height in _HEIGHTS]] / widths.max()
    share = head.astype(np.float32)
    shading = ndimage.gaussian_filter(values * share, _SHADING * side)
    shading /= np.maximum(ndimage.gaussian_filter(share, _SHADING * side), np.float32(0.05))
    inner = ndimage.binary_erosion(head, iterations=max(1, round(_RIM * side)))
    levels, details = [], []
    for band in np.array_split(np.arange(count), _BANDS):
        inside = values[band][head[band]]
        levels.append(float(np.median(inside)) if inside.size else 1.0)
        rough = np.abs(values[band] - shading[band])[inner[band]]
        details.append(float(rough.mean()) if rough.size else 0.0)
    mean = max(float(np.mean(details)), 1e-6)
    return np.array([*symmetry, *widths, *levels, *(detail / mean for detail in details)])
