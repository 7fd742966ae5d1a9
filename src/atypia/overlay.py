"""A heat map laid over its scan: grey where nothing is unusual, glowing where something is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image

HeatScale = tuple[float, float]

OUTLINE = (0.31, 0.85, 0.92)

_OPAQUE = 0.75
_DARKEST = 0.25  # inferno begins in black, which on a scan would read as a shadow


def overlay(scan: Image, heatmap: Image, scale: HeatScale) -> NDArray[np.uint8]:
    """Return RGB (H, W, 3) of a scan (H, W) under its heat map (H, W).

    `scale` is the value up to which the map is clear and the value from which it is brightest, both in the
    detector's units and the same for all scans, so that a healthy brain does not glow like a sick one.
    """
    heat = heat_share(heatmap, scale)
    colours = heat_colours(heat)
    weight = (_OPAQUE * np.sqrt(heat))[..., None]
    mixed = (1 - weight) * grey_share(scan)[..., None] + weight * colours
    return np.asarray(np.rint(255 * mixed), dtype=np.uint8)


def outlined(picture: NDArray[np.uint8], regions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) with a line around each region (H, W), 0 being none.

    The line lies outside the region, one pixel wide, or more on large pictures.
    """
    width = max(1, round(max(regions.shape) / 400))
    line = np.zeros(regions.shape, bool)
    for number in range(1, int(regions.max(initial=0)) + 1):
        inside = regions == number
        line |= ndimage.binary_dilation(inside, ndimage.generate_binary_structure(2, 2), width) & ~inside
    drawn = picture.copy()
    drawn[line] = np.rint(255 * np.array(OUTLINE))
    return drawn


def heat_share(heatmap: Image, scale: HeatScale) -> NDArray[np.float64]:
    """Return the map's place on the scale, in [0, 1]."""
    clear, full = scale
    span = max(full - clear, float(np.finfo(np.float32).tiny))
    return np.asarray(np.clip((np.nan_to_num(heatmap.astype(np.float64)) - clear) / span, 0, 1))


def heat_colours(heat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours (..., 3) in [0, 1] of places on the scale."""
    from matplotlib import colormaps

    return np.asarray(colormaps["inferno"](_DARKEST + (1 - _DARKEST) * heat)[..., :3])


def grey_share(scan: Image) -> NDArray[np.float64]:
    """Return the scan in [0, 1], from its 0.5 % to its 99.5 % darkest pixels.

    >>> grey_share(np.array([[0.0, 5.0, 10.0]], dtype=np.float32)).round(2).tolist()
    [[0.0, 0.5, 1.0]]
    """
    low, high = np.percentile(scan, [0.5, 99.5])
    span = max(float(high - low), float(np.finfo(np.float32).tiny))
    return np.asarray(np.clip((scan.astype(np.float64) - low) / span, 0, 1))
