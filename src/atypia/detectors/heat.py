"""From a map of cells to a map of pixels, and from a map to one number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image, Mask

Matrix = NDArray[np.float32]


@lru_cache(maxsize=32)
def resampling(cells: int, wanted: int, window: int = 1) -> Matrix:
    """Return (wanted, cells): the mean over `window` cells, then linear interpolation to another number.

    Cell centres stay where they are and the edge is continued, as in `scipy.ndimage.zoom` with `grid_mode`.
    The two sides of a map are handled by one such matrix each.
    """
    offsets = np.arange(window) - window // 2
    near = np.clip(np.arange(cells)[:, None] + offsets, 0, cells - 1)
    mean = np.zeros((cells, cells))
    np.add.at(mean, (np.arange(cells)[:, None], near), 1 / window)
    places = np.clip((np.arange(wanted) + 0.5) * cells / wanted - 0.5, 0, cells - 1)
    left = np.floor(places).astype(int)
    right, share = np.minimum(left + 1, cells - 1), places - left
    stretch = np.zeros((wanted, cells))
    np.add.at(stretch, (np.arange(wanted), left), 1 - share)
    np.add.at(stretch, (np.arange(wanted), right), share)
    matrix = (stretch @ mean).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def to_pixels(heat: Image, foreground: Mask) -> Image:
    """Interpolate maps of cells (N, G, G) to those of pixels (N, S, S), and leave out what is no head."""
    matrix = resampling(heat.shape[-1], foreground.shape[-1])
    return np.asarray((matrix @ heat @ matrix.T) * foreground, np.float32)


def cells_of_heads(heads: Mask, grid: int) -> Mask:
    """Return the cells (N, G, G) that `to_pixels` reads for a head (N, S, S); all where there is no head."""
    weighs = (resampling(grid, heads.shape[-1]) > 0).astype(np.float32)
    touched = np.asarray(weighs.T @ heads.astype(np.float32) @ weighs > 0)
    return touched | ~touched.any((1, 2), keepdims=True)


def averaged(stack: Image, factor: int) -> Image:
    """Average (N, S, S) over squares of `factor` pixels a side, whole ones alone, to (N, s, s)."""
    side = stack.shape[-1] // factor * factor
    rows = _summed([stack[:, start:side:factor, :side] for start in range(factor)])
    return _summed([rows[:, :, start::factor] for start in range(factor)]) / np.float32(factor**2)


def _summed(parts: list[Image]) -> Image:
    total = parts[0].astype(np.float32)
    for part in parts[1:]:
        total += part
    return total


def to_cells(mask: Mask, grid: int) -> Mask:
    """Return the cells (N, G, G) that lie mostly in a mask (N, S, S)."""
    share = averaged(mask.astype(np.float32), mask.shape[-1] // grid)
    return np.asarray(share[:, :grid, :grid] > 0.5)


def highest(heat: Image, heads: Mask, top: float) -> NDArray[np.float64]:
    """Return (N,): the mean of the highest share `top` of each map (N, G, G) inside its head (N, G, G).

    A scan without a head is judged on all of its map.
    """
    return np.asarray(highest_shares(heat, heads, (top,))[0])


def highest_shares(heat: Image, heads: Mask, tops: Sequence[float]) -> NDArray[np.float64]:
    """Return (T, N): for each share in turn what `highest` returns."""
    scores = np.empty((len(tops), len(heat)))
    for place, (values, head) in enumerate(zip(heat, heads, strict=True)):
        ordered = np.sort(values[head] if head.any() else values.ravel())
        for row, top in zip(scores, tops, strict=True):
            row[place] = ordered[-max(1, round(top * ordered.size)) :].mean()
    return scores
