"""The small canvas on which the acquisition of a scan is looked at, whatever its preparation was."""

from __future__ import annotations

import numpy as np
import PIL.Image

from atypia.scan import Image, Mask

SIDE = 112
LOW, HIGH = 1.0, 99.5


def small_canvas(pixels: Image, foreground: Mask) -> tuple[Image, Mask]:
    """Return one prepared scan (S, S) and its head on SIDE x SIDE, the head's intensities spread over [0, 1].

    Percentiles 1 and 99.5 of the head become 0 and 1, so that preparations that keep the file's range are
    seen as those that do not. A scan without a head is taken as head throughout.
    """
    canvas, share = _resized(pixels), _resized(foreground.astype(np.float32))
    head = share > 0.5
    if not head.any():
        head = np.ones_like(head)
    ordered = np.sort(canvas[head])
    low, high = (float(ordered[round(p / 100 * (ordered.size - 1))]) for p in (LOW, HIGH))
    if not high > low:
        return np.zeros_like(canvas), head
    return np.clip((canvas - low) / (high - low), 0, 1).astype(np.float32), head


def _resized(pixels: Image) -> Image:
    side = pixels.shape[0]
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    if side % SIDE == 0:
        picture = picture.reduce(side // SIDE) if side > SIDE else picture
    else:
        picture = picture.resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR)
    return np.array(picture, np.float32)
