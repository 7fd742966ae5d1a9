"""Scalars of what lies around the head, and of the head's place and outline."""

from __future__ import annotations

import math

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from atypia.preparation.foreground import Foreground
from atypia.scan import Image, Mask

OUTSIDE_SIDE = 32

_FLAT = 0.03  # of white: what JPEG leaves of an even rim
_RIM = 0.02  # of the side
_LETTER = (0.012, 0.08)  # height of a letter, as share of the longer side
_CLEAR = 0.25  # of white: how far letters stand out from the background


def frame_scalars(pixels: Image, head: Foreground | None) -> dict[str, float]:
    """Return the scalars of the group `frame` of pixels (H, W) in [0, 1]; NaN where they need a head."""
    rim = max(1, round(_RIM * min(pixels.shape)))
    edges = (pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:])
    found = {
        "border": border(pixels),
        "border_level": float(np.mean([edge.mean() for edge in edges])),
        "background_mean": math.nan,
        "background_noise": math.nan,
        "glyphs": math.nan,
        "head_area": math.nan,
        "head_aspect": math.nan,
        "head_cut": math.nan,
    }
    return found if head is None else found | _around(pixels, head)


def border(pixels: Image) -> float:
    """Return how wide the even rim is, the mean of four sides as shares of height and width, in [0, 0.5]."""
    lines = [np.stack([pixels.min(axis), pixels.max(axis)]) for axis in (1, 0)]
    sides = [side for line in lines for side in (line, line[:, ::-1])]
    return float(np.mean([_even(side) for side in sides]))


def _even(lines: Image) -> float:
    """Return the share of leading lines, given as lowest and highest grey (2, N), that are of one grey."""
    lowest, highest = np.minimum.accumulate(lines[0]), np.maximum.accumulate(lines[1])
    return min(float((highest - lowest <= _FLAT).mean()), 0.5)


def _around(pixels: Image, head: Foreground) -> dict[str, float]:
    top, left, bottom, right = head.box
    mask = head.mask
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    known = {
        "head_area": float(mask.mean()),
        "head_aspect": (min(right, pixels.shape[1]) - left) / (min(bottom, pixels.shape[0]) - top),
        "head_cut": float(rim.mean()),
    }
    apart = ~_grown(mask)
    outside = one_of_each(pixels, head.factor)[apart]
    if outside.size < 0.005 * mask.size:
        return known
    return known | {
        "background_mean": float(outside.mean()),
        "background_noise": float(outside.std()),
        "glyphs": float(_letters(pixels, apart, head.factor, float(np.median(outside)))),
    }


def one_of_each(pixels: Image, factor: int) -> Image:
    """Return one pixel, as it is, for each of the grid reduced by a whole factor: that of the head's mask."""
    return pixels[::factor, ::factor]


def _grown(mask: Mask) -> Mask:
    """Return the head with a seam of a fiftieth of the longer side, which is neither in nor out."""
    reach = max(1, round(max(mask.shape) / 50))
    return np.asarray(ndimage.maximum_filter(mask, 2 * reach + 1))


def _letters(pixels: Image, apart: Mask, factor: int, level: float) -> int:
    """Count the pieces that stand out and are as high as letters are, thin, and no mere dots."""
    finer = max(1, factor // 2)  # a reduced letter is faint, and a whole picture slow
    small = np.asarray(PIL.Image.fromarray(pixels).reduce(finer))
    times = -(-small.shape[0] // apart.shape[0])
    outside = apart.repeat(times, axis=0).repeat(times, axis=1)[: small.shape[0], : small.shape[1]]
    small = small[: outside.shape[0], : outside.shape[1]]
    clear = (np.abs(small - level) > _CLEAR) & outside
    if not clear.any():
        return 0
    pieces, _ = ndimage.label(clear, np.ones((3, 3)))
    low, high = (share * max(small.shape) for share in _LETTER)
    count = 0
    for box in ndimage.find_objects(pieces):
        height, width = (part.stop - part.start for part in box)
        count += max(low, 4) <= height <= high and 1 <= width <= 1.5 * high and height >= 0.4 * width
    return count


def outside_thumbnail(pixels: Image, head: Foreground | None) -> NDArray[np.uint8]:
    """Return the picture (32, 32), 0 to 254, with the head and a seam around it as 255."""
    size = (OUTSIDE_SIDE, OUTSIDE_SIDE)
    small = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32)).resize(
        size, PIL.Image.Resampling.BOX
    )
    values = np.round(np.clip(np.asarray(small), 0, 1) * 254).astype(np.uint8)
    if head is not None:
        grown = PIL.Image.fromarray(_grown(head.mask).astype(np.uint8) * 255)
        values[np.asarray(grown.resize(size, PIL.Image.Resampling.BOX)) > 0] = 255
    return np.asarray(values)
