"""Where in a volume the head is: how much of it each slice shows, and the place of a slice along it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from atypia.reading.volume import Volume

LEAST_SHARE = 0.2
_HEAD_LEVEL = 0.15

Areas = NDArray[np.float64]


def with_head(volume: Volume, plane: str) -> list[int]:
    """Return the slices that show at least a fifth as much head as that with the most; all if none does."""
    areas = head_areas(volume, plane)
    return np.flatnonzero(areas >= LEAST_SHARE * areas.max()).tolist()


def position(volume: Volume, plane: str, index: int) -> float:
    """Return where a slice lies along the head, in [0, 1]: from its inferior, posterior or right end.

    The head ends where a slice would show a fifth as much of it as the one with the most, between slices by
    interpolation, or where the volume ends; what lies beyond has the position of the end. So the position of
    a place does not depend on the thickness of the slices, but on how much of the head the volume covers.
    """
    areas = head_areas(volume, plane)
    least = LEAST_SHARE * float(areas.max())
    shown = np.flatnonzero(areas >= least)
    start, stop = _end(areas, int(shown[0]), -1, least), _end(areas, int(shown[-1]), 1, least)
    place = min(max((index - start) / (stop - start), 0.0), 1.0)
    return place if volume.counts_up(plane) else 1 - place


def head_areas(volume: Volume, plane: str) -> Areas:
    """Return of each slice the number of voxels (N,) that differ clearly from the background.

    The background is the median of the voxels at the sides of the slices, and clearly is by 15 in 100 of what
    the brightest voxels differ by. Every other voxel along rows and columns is looked at.
    """
    known = _KNOWN.setdefault(volume, {})
    if plane not in known:
        known[plane] = _areas(volume, plane)
    return known[plane]


def _areas(volume: Volume, plane: str) -> Areas:
    stack = np.ascontiguousarray(volume.stacked(volume.pixels, plane)[:, ::2, ::2])
    rim = np.concatenate(
        [stack[:, 0].ravel(), stack[:, -1].ravel(), stack[..., 0].ravel(), stack[..., -1].ravel()]
    )
    contrast = np.abs(stack - np.float32(np.median(rim)))
    level = _HEAD_LEVEL * float(np.percentile(contrast, 99.5))
    return np.asarray(np.count_nonzero(contrast > level, axis=(1, 2)), np.float64)


def _end(areas: Areas, outermost: int, step: int, least: float) -> float:
    """Return where, from the outermost slice with enough of the head on, there would be too little."""
    beyond = outermost + step
    if not 0 <= beyond < len(areas):
        return outermost + step / 2
    fall = areas[outermost] - areas[beyond]
    return outermost + step * float((areas[outermost] - least) / fall)


_KNOWN: WeakKeyDictionary[Volume, dict[str, Areas]] = WeakKeyDictionary()
