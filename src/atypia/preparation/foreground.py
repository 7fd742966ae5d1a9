"""Finding the head in a slice: all that differs from the background, in one piece, with its holes filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

# The search runs on a reduced image, so that its cost and its reach do not depend on the size of the scan.
_SIDE = 160
# Less contrast, in whatever unit, is lost where it is divided by.
_LEAST = 1e-30
# Lengths as shares of the longer side: the rim that shows the background, a frame around the picture, the
# gaps that are closed, and what is thin enough to be cut off.
_RIM = 0.08
_FRAME = 0.025
_GAP = 0.018
_THREAD = 0.025
# Pieces of a montage: at least this share of the largest piece, and at most so many times as long as wide.
_ALIKE, _LONG = 0.4, 2.0


@dataclass(frozen=True, eq=False)
class Foreground:
    """The head on a grid reduced by a whole `factor`: `mask` bool (ceil(H / factor), ceil(W / factor)).

    `picture` is the slice on that grid, smoothed. `heads` counts the pieces that are about as large as the
    head: a montage has several.
    """

    mask: Mask
    factor: int
    picture: Image
    heads: int = 1

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Return (top, left, bottom, right) in pixels of the scan; it may end up to a factor beyond it."""
        rows, columns = _box(self.mask)
        top, left, bottom, right = rows.start, columns.start, rows.stop, columns.stop
        return top * self.factor, left * self.factor, bottom * self.factor, right * self.factor


def find_foreground(pixels: Image) -> Foreground | None:
    """Find the head in a slice (H, W), whatever its units; None where nothing differs from the background.

    The background may be dark or bright; lettering, a frame around the picture and what lies apart are left
    out. The same head is found after `a * pixels + b`, a > 0.
    """
    factor = -(-max(pixels.shape) // _SIDE)
    grid = ndimage.gaussian_filter(_reduce(pixels, factor), 1.0)
    contrast = np.abs(grid - _background(grid))
    contrast = np.minimum(contrast, _percentiles(contrast, 99)[0])
    highest = float(contrast.max())
    if not highest > max(1e-5 * float(np.abs(grid).max()), _LEAST):
        return None
    # Half of Otsu's level: dim tissue beside bright fat belongs to the head as well.
    differs = contrast > max(0.5 * _otsu(contrast, highest), 0.06 * highest)
    found = _largest_piece(differs)
    return None if found is None else Foreground(found[0], factor, grid, found[1])


def _reduce(pixels: Image, factor: int) -> Image:
    if factor == 1:
        return pixels
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32)).reduce(factor)
    return np.asarray(picture)


def _background(grid: Image) -> float:
    """Return the level that fills most of the rim; where none does, the head does, and it is a dark one."""
    width = max(3, round(_RIM * max(grid.shape)))
    inner = np.zeros(grid.shape, bool)
    inner[width:-width, width:-width] = True
    rim = grid[~inner]
    dark, middle = _percentiles(rim, 10, 50)
    near = np.abs(rim - middle) < 0.05 * (grid.max() - grid.min())
    return float(middle if near.mean() > 0.5 else dark)


def _percentiles(values: Image, *percents: float) -> list[float]:
    """Return the values at these percentiles; sorting is several times as fast as numpy's selection."""
    ordered = np.sort(values, axis=None)
    return [float(ordered[round(percent / 100 * (ordered.size - 1))]) for percent in percents]


def _otsu(values: Image, highest: float) -> float:
    """Return the level that parts values in [0, highest] best: Otsu (1979), eq. 18, on 64 bins."""
    places = np.minimum((values * np.float32(64 / highest)).astype(np.uint8), 63)
    counts = np.bincount(places.ravel(), minlength=64)
    edges = np.linspace(0, highest, 65)
    centres = (edges[:-1] + edges[1:]) / 2
    below, mass = np.cumsum(counts)[:-1], np.cumsum(counts * centres)
    above = values.size - below
    between = (mass[-1] * below - values.size * mass[:-1]) ** 2 / np.maximum(below * above, 1)
    return float(edges[1 + int(between.argmax())])


def _largest_piece(differs: Mask) -> tuple[Mask, int] | None:
    """Close gaps, fill holes, cut what hangs by a thread, keep the largest piece, and count those like it.

    The outermost pixels are left out of this, so that a frame encloses nothing, and are added where they
    continue the piece.
    """
    frame, gap, thread = (max(1, round(share * max(differs.shape))) for share in (_FRAME, _GAP, _THREAD))
    inner = differs[frame:-frame, frame:-frame]
    if not inner.any():
        return None
    box = _box(inner)
    padding = gap + thread
    mask = _dilated(np.pad(inner[box], padding), gap)
    outside, _ = ndimage.label(~mask)
    mask = _eroded(outside != outside[0, 0], gap + thread)
    pieces, count = ndimage.label(mask)
    if count == 0:
        return None
    areas = np.bincount(pieces.ravel())[1:]
    largest = pieces == 1 + int(areas.argmax())
    mask = np.zeros_like(differs)
    mask[frame:-frame, frame:-frame][box] = _dilated(largest, thread)[padding:-padding, padding:-padding]
    near = _dilated(mask, frame + 1)
    near[frame:-frame, frame:-frame] = False
    return np.asarray(mask | (near & differs)), _count_alike(pieces, areas)


def _box(mask: Mask) -> tuple[slice, slice]:
    """Return the smallest box around all that is true."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _count_alike(pieces: NDArray[np.int32], areas: NDArray[np.intp]) -> int:
    boxes = ndimage.find_objects(pieces) if len(areas) > 1 else []
    sides = ([side.stop - side.start for side in box] for box in boxes)
    compact = [max(pair) <= _LONG * min(pair) for pair in sides]
    return max(1, sum(np.array(compact) & (areas >= _ALIKE * areas.max())) if compact else 1)


def _dilated(mask: Mask, reach: int) -> Mask:
    """Return where any pixel within a square of `reach` pixels on each side is true."""
    return _or_along(_or_along(mask, reach).T, reach).T


def _or_along(mask: Mask, reach: int) -> Mask:
    """Join each row with the `reach` rows before and after it, by windows that double."""
    window = np.zeros((len(mask) + 2 * reach, mask.shape[1]), bool)
    window[reach : reach + len(mask)] = mask
    width = 1
    while width < 2 * reach + 1:
        step = min(width, 2 * reach + 1 - width)
        window = window[:-step] | window[step:]
        width += step
    return window


def _eroded(mask: Mask, reach: int) -> Mask:
    """Return where all pixels within a square of `reach` on each side are true; beyond the rim none is."""
    return ~_dilated(np.pad(~mask, reach, constant_values=True), reach)[reach:-reach, reach:-reach]
