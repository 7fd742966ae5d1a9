"""Scalars of the greys: of the whole picture, of the head, and of the head as detectors see it."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from atypia.preparation import Prepared
from atypia.preparation.foreground import Foreground
from atypia.scalars.frame import one_of_each
from atypia.scan import Image

_PERCENTS = (5, 25, 50, 75, 95, 99)
_SCALP = 0.1  # of the canvas: scalp and skull
_SMOOTH = 2 / 224  # of the canvas: the width of the smoothing


def intensity_scalars(pixels: Image, head: Foreground | None, prepared: Prepared | None) -> dict[str, float]:
    """Return the scalars of the group `intensity` of pixels (H, W) in [0, 1]; NaN where they need a head."""
    found = {"mean_intensity": float(pixels.mean())}
    found |= dict.fromkeys(("head_mean", "head_std"), math.nan)
    found |= {f"head_p{percent:02d}": math.nan for percent in _PERCENTS}
    found |= dict.fromkeys(("interior_p98", "asymmetry", "sharpness"), math.nan)
    if head is not None:
        found |= _of_head(pixels, head)
    if prepared is not None:
        smooth = ndimage.gaussian_filter(prepared.pixels, _SMOOTH * len(prepared.pixels))
        found |= {"interior_p98": _interior(smooth, prepared), "asymmetry": _asymmetry(smooth, prepared)}
    return found


def _of_head(pixels: Image, head: Foreground) -> dict[str, float]:
    """Measure one pixel of each that the head's mask stands for, and its steps to the next ones."""
    some = one_of_each(pixels, head.factor)
    ordered = np.sort(some[head.mask])
    spread = float(ordered.std())
    found = {
        "head_mean": float(ordered.mean()),
        "head_std": spread,
        "sharpness": _step(pixels, head) / spread if spread > 0 else math.nan,
    }
    for percent in _PERCENTS:
        found[f"head_p{percent:02d}"] = float(ordered[round(percent / 100 * (len(ordered) - 1))])
    return found


def _step(pixels: Image, head: Foreground) -> float:
    """Return the mean difference between a pixel of the head and the next one in its row and column."""
    factor = head.factor
    here = pixels[:-1:factor, :-1:factor]
    inside = head.mask[: here.shape[0], : here.shape[1]]
    beside, below = pixels[:-1:factor, 1::factor], pixels[1::factor, :-1:factor]
    return float((np.abs(here - beside) + np.abs(here - below))[inside].mean() / 2)


def _interior(smooth: Image, prepared: Prepared) -> float:
    """Return the 98th percentile of the smoothed canvas deeper in the head than scalp and skull reach."""
    depth = ndimage.distance_transform_edt(np.pad(prepared.foreground, 1))[1:-1, 1:-1]
    inside = smooth[depth > _SCALP * len(smooth)]
    return float(np.percentile(inside, 98)) if inside.size else math.nan


def _asymmetry(smooth: Image, prepared: Prepared) -> float:
    """Return the mean difference of the smoothed canvas from its mirror image where both show the head."""
    both = prepared.foreground & prepared.foreground[:, ::-1]
    return float(np.abs(smooth - smooth[:, ::-1])[both].mean()) if both.any() else math.nan
