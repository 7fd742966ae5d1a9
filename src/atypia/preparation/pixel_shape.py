"""Pixels that are not square: the picture at its true shape, in which a head has the shape that it has."""

from __future__ import annotations

import math

import numpy as np
import PIL.Image

from atypia.scan import Image

MOST = 8.0
_ALIKE = 0.01


def shape_in_mm(shape: tuple[int, int], spacing: tuple[float, ...] | None) -> tuple[int, int]:
    """Return the size of a picture (H, W) whose pixels are as small as the shorter side of those here.

    `spacing` is the size of a pixel, (row, column). What is not known, or differs by at most a hundredth,
    leaves the shape as it is. Raises ValueError where one side is more than 8 times the other.

    >>> shape_in_mm((20, 64), (3.0, 1.0)), shape_in_mm((64, 64), (0.9, 0.9)), shape_in_mm((64, 64), None)
    ((60, 64), (64, 64), (64, 64))
    """
    if spacing is None or len(spacing) != 2 or not all(math.isfinite(side) and side > 0 for side in spacing):
        return shape
    shorter, longer = min(spacing), max(spacing)
    if longer > MOST * shorter:
        raise ValueError(f"pixels of {spacing[0]:g} x {spacing[1]:g} mm")
    if longer <= (1 + _ALIKE) * shorter:
        return shape
    height, width = (round(length * side / shorter) for length, side in zip(shape, spacing, strict=True))
    return height, width


def resized(pixels: Image, shape: tuple[int, int]) -> Image:
    """Return a picture (H, W) on the grid of another shape that covers the same place, interpolated."""
    if pixels.shape == shape:
        return pixels
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), PIL.Image.Resampling.BICUBIC))
