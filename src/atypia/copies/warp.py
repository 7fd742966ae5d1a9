"""Shifting, stretching and smoothing many pictures at once, one axis after the other."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.float32]


def positions(side: int) -> Batch:
    """Return the centres of `side` pixels on an axis from -1 to 1."""
    return np.asarray((2 * np.arange(side) + 1) / side - 1, np.float32)


def warped(pictures: Batch, frames: Batch) -> tuple[Batch, Batch]:
    """Return pictures (N, S, S) read linearly through frames (N, 4), and 1 where inside of them, else 0.

    A frame is (stretch down, shift down, stretch across, shift across): it reads an axis from -1 to 1 at
    `stretch * x + shift`.
    """
    down, seen_down = _read_down(pictures, frames[:, 0], frames[:, 1])
    across, seen_across = _read_down(np.swapaxes(down, 1, 2), frames[:, 2], frames[:, 3])
    inside = seen_down[:, :, None] & seen_across[:, None, :]
    return np.ascontiguousarray(np.swapaxes(across, 1, 2)), inside.astype(np.float32)


def _read_down(pictures: Batch, stretch: Batch, shift: Batch) -> tuple[Batch, NDArray[np.bool_]]:
    """Return pictures (N, S, S) read down their columns, and which rows (N, S) lay inside them."""
    side = pictures.shape[1]
    places = ((stretch[:, None] * positions(side) + shift[:, None]) + 1) * (side / 2) - 0.5
    above = np.clip(np.floor(places), 0, side - 2).astype(np.intp)
    share = np.clip(places - above, 0, 1).astype(np.float32)[:, :, None]
    batch = np.arange(len(pictures))[:, None]
    upper, lower = pictures[batch, above], pictures[batch, above + 1]
    return upper + share * (lower - upper), (places > -0.01) & (places < side - 0.99)


def smoothed(pictures: Batch, sigma: float, stride: int = 1) -> Batch:
    """Return pictures (N, S, S) after a Gaussian filter, of every `stride`-th row and column alone.

    The weights sum to 1 at the rim as well. All pictures go through one product of matrices for each axis.
    """
    kernel = _kernel(pictures.shape[-1], sigma)[::stride].T
    return _along(_along(pictures, kernel), kernel)


def _along(pictures: Batch, kernel: Batch) -> Batch:
    """Multiply the last axis, and swap the last two."""
    count, rows, side = pictures.shape
    product = pictures.reshape(count * rows, side) @ kernel
    return np.ascontiguousarray(np.swapaxes(product.reshape(count, rows, -1), 1, 2))


@cache
def _kernel(side: int, sigma: float) -> Batch:
    apart = np.subtract.outer(np.arange(side), np.arange(side))
    weights = np.exp(-0.5 * (apart / sigma) ** 2)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
