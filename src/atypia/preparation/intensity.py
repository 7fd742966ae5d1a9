"""Bringing the intensities of a scan to [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image, Mask

_FULL_SCALES = (1.0, 255.0, 65535.0)
# What is so many times as bright as the median of the interior is 1, which puts that median at a quarter; a
# median darker than this share of the head's range is taken to be that share of it.
_BRIGHTEST, _DARKEST = 4.0, 0.02
# So large a share of the canvas shows how dark the background is.
_ENOUGH = 0.01


def robust_window(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Return the percentiles `low` and `high` of values (N,), each one of the values.

    Being values themselves they follow any rescaling of the scan, which interpolated percentiles need not.
    """
    places = [round(percent / 100 * (values.size - 1)) for percent in (low, high)]
    ordered = np.sort(values)  # several times as fast as a partition
    return float(ordered[places[0]]), float(ordered[places[1]])


def background_level(canvas: Image, head: Mask, inside: Mask, darkest: float) -> float:
    """Return the median of a canvas (S, S) around the head, inside the scan; at most `darkest` of the head.

    Where next to nothing lies around the head, or what does is bright, it is that darkest value.
    """
    around = canvas[inside & ~head]
    return min(float(np.median(around)), darkest) if around.size >= _ENOUGH * canvas.size else darkest


def tissue_window(values: NDArray[np.float32], background: float, brightest: float) -> tuple[float, float]:
    """Return the window from the background to 4 times the median of the interior's values (N,) above it.

    `brightest` is the highest intensity of the head, which bounds how dark the tissue can be. So Nyul and
    Udupa, "On standardizing the MR image intensity scale", MRM 42 (1999), with one landmark: a lesion
    moves the median little, and percentiles near the ends much.
    """
    least = _DARKEST * (brightest - background)
    median = float(np.median(values)) - background if values.size else least
    return background, background + _BRIGHTEST * max(median, least)


def full_scale(pixels: Image) -> tuple[float, float]:
    """Return 0 and the full scale of the pixels' type, by their maximum: 1, 255, 65535, or itself."""
    highest = float(pixels.max())
    return 0.0, next((scale for scale in _FULL_SCALES if highest <= scale), highest)


def rescale(pixels: Image, window: tuple[float, float]) -> Image:
    """Map the window to [0, 1] and clip what lies beyond."""
    low, high = window
    return np.asarray(np.clip((pixels - np.float32(low)) * np.float32(1 / (high - low)), 0, 1))
