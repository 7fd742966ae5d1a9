"""Heads of other shapes: a random affine map and a smooth bend, the same for all layers of a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atypia.lesions.field_bank import FieldBank
from atypia.scan import Image

TURN, SCALE, ASPECT = 0.08, 0.3, 0.16
SHIFT = (0.03, 0.01)
BEND, BEND_GRID = 0.012, 5

Layers = NDArray[np.float32]
Indices = NDArray[np.int32]


def deform(rng: np.random.Generator, layers: Layers, bank: FieldBank) -> Layers:
    """Deform scans of several layers each, (N, C, S, S): turned, scaled, shifted, bent, and mirrored or not.

    Standard deviations: 0.08 radians, 3 % of the canvas down, 1 % across, 1.2 % of bending; scale within
    15 %, aspect within 8 %. What comes from outside the canvas is 0.
    """
    count, _, size, _ = layers.shape
    down = bank.draw(rng, count, BEND_GRID) * np.float32(BEND * size)
    across = bank.draw(rng, count, BEND_GRID) * np.float32(BEND * size)
    rows, columns = np.mgrid[:size, :size].astype(np.float32) - np.float32((size - 1) / 2)
    moved = np.empty_like(layers)
    for place in range(count):
        turn, centre = rng.normal() * TURN, (size - 1) / 2 + rng.normal(size=2) * np.array(SHIFT) * size
        tall = 1 + (rng.random() - 0.5) * SCALE
        wide = tall * (1 + (rng.random() - 0.5) * ASPECT)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        y = (c * rows + s * columns) * np.float32(wide) + np.float32(centre[0]) + down[place]
        x = (c * columns - s * rows) * np.float32(tall) + np.float32(centre[1]) + across[place]
        moved[place] = sampled(layers[place], y, x)
    mirrored = rng.random(count) < 0.5
    moved[mirrored] = moved[mirrored][..., ::-1]
    return moved


def sampled(layers: Layers, y: Image, x: Image) -> Layers:
    """Interpolate all layers (C, S, S) linearly at the same places."""
    size = layers.shape[-1]
    top, left = np.floor(y).astype(np.int32), np.floor(x).astype(np.int32)
    below, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    inside = (top >= 0) & (top < size - 1) & (left >= 0) & (left < size - 1)
    first: Indices = np.clip(top, 0, size - 2) * np.int32(size) + np.clip(left, 0, size - 2)
    weights = ((1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right)
    # A pixel's layers lie side by side, so that they are found together.
    flat, places = np.ascontiguousarray(layers.reshape(len(layers), -1).T), first.ravel()
    total = np.zeros((size * size, len(layers)), np.float32)
    for step, weight in zip((0, 1, size, size + 1), weights, strict=True):
        found = flat.take(places + np.int32(step), axis=0, mode="clip")
        total += np.multiply(found, (weight * inside).reshape(-1, 1), out=found)
    return np.ascontiguousarray(total.T).reshape(len(layers), size, size)
