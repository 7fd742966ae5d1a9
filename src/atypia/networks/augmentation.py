"""Altered copies of healthy scans that could have come from another head, coil or protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

Array = NDArray[np.float64]

ROTATION = 8.0
SCALE = 0.07
SHIFT = 0.03
GAMMA = 0.25
BIAS = 0.15
NOISE = 0.03


def augment(pixels: Image, foreground: Mask, seeds: list[tuple[int, ...]]) -> tuple[Image, Mask]:
    """Alter each scan by its own seed: mirror, small affine map, gamma, bias field, blur, Rician-like noise.

    `pixels` float32 (N, S, S) in [0, 1] and `foreground` bool (N, S, S); the copies have the same shapes.

    Rotation is within 8 degrees, scale within 7 %, shift within 3 % of the width, so that anatomy stays
    anatomy. Same seeds, same copies.
    """
    pairs = [
        _alter(scan, head, np.random.default_rng(seed))
        for scan, head, seed in zip(pixels, foreground, seeds, strict=True)
    ]
    return np.stack([scan for scan, _ in pairs]), np.stack([head for _, head in pairs])


def _alter(pixels: Image, foreground: Mask, rng: np.random.Generator) -> tuple[Image, Mask]:
    moved, head = move((pixels, foreground.astype(np.float32)), rng)
    return shade(moved, rng), head > 0.5


def move(layers: Sequence[Image], rng: np.random.Generator) -> list[Image]:
    """Mirror, turn, scale and shift pictures (S, S) that lie on each other, all alike."""
    if rng.random() < 0.5:
        layers = [layer[:, ::-1] for layer in layers]
    matrix, offset = _affine(layers[0].shape[0], rng)
    return [ndimage.affine_transform(layer, matrix, offset, order=1) for layer in layers]


def _affine(size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    angle = np.deg2rad(rng.uniform(-ROTATION, ROTATION))
    scale = 1 + rng.uniform(-SCALE, SCALE, 2)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    centre = np.full(2, (size - 1) / 2)
    return matrix, centre - matrix @ centre + rng.uniform(-SHIFT, SHIFT, 2) * size


def shade(pixels: Image, rng: np.random.Generator) -> Image:
    """Alter the grey values of a picture (S, S) in [0, 1]: gamma, bias field, blur, Rician-like noise."""
    out = np.clip(pixels, 0, 1) ** np.exp(rng.uniform(-GAMMA, GAMMA))
    axis = np.linspace(-1, 1, len(pixels), dtype=np.float32)
    slope = rng.normal(0, BIAS, 2)
    out = out * np.exp(slope[0] * axis[:, None] + slope[1] * axis[None, :])
    if rng.random() < 0.3:
        out = ndimage.gaussian_filter(out, rng.uniform(0.4, 1.2))
    sigma = rng.uniform(0, NOISE)
    noise = rng.standard_normal((2, *pixels.shape), dtype=np.float32) * sigma
    return np.asarray(np.clip(np.hypot(out + noise[0], noise[1]), 0, 1), dtype=np.float32)
