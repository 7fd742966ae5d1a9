"""Bringing the intensities of a scan to [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image

_FULL_SCALES = (1.0, 255.0, 65535.0)


def robust_window(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Return the percentiles `low` and `high` of values (N,), each one of the values.

    Being values themselves they follow any rescaling of the scan, which interpolated percentiles need not.
    """
    places = [round(percent / 100 * (values.size - 1)) for percent in (low, high)]
    ordered = np.sort(values)  # several times as fast as a partition
    return float(ordered[places[0]]), float(ordered[places[1]])


def full_scale(pixels: Image) -> tuple[float, float]:
    """Return 0 and the full scale of the pixels' type, by their maximum: 1, 255, 65535, or itself."""
    highest = float(pixels.max())
    return 0.0, next((scale for scale in _FULL_SCALES if highest <= scale), highest)


def rescale(pixels: Image, window: tuple[float, float]) -> Image:
    """Map the window to [0, 1] and clip what lies beyond."""
    low, high = window
    return np.asarray(np.clip((pixels - np.float32(low)) * np.float32(1 / (high - low)), 0, 1))
