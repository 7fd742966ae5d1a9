"""Telling CT from MRI by physics: bone is what X-rays stop first, and what gives no signal in MRI.

In a window for the brain the skull is by far the brightest of a CT slice: a thick, closed, flat ring around
an interior of little contrast. In MRI the bright ring, where there is one, is the fat of the scalp: thin,
uneven, and parted from the brain by the dark band of the bone. Nothing here is learned from scans.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

SECTORS = 36
DEPTHS = 8
STEP = 0.04
OUTER = 5
RING, INSIDE = 0.25, 0.35
FEWEST = 50
CUTS: tuple[tuple[float, float], ...] = (
    (0.82, 0.10),
    (0.74, 0.20),
    (-0.10, 0.10),
    (0.22, 0.10),
    (-0.034, 0.03),
    (0.80, 0.10),
)
"""For each measure of `ring_measures` the value at which it no longer speaks for CT, and its unit."""
UNKNOWN = -4.0


def ct_index(pixels: Image, head: Mask) -> float:
    """Return how far a slice (S, S) in [0, 1] looks like CT: above 0 it does, at most about 1.

    It is the least of six margins, so that all must hold: see `ring_measures`. UNKNOWN where the head is too
    small to tell.
    """
    measures = ring_measures(pixels, head)
    if measures is None:
        return UNKNOWN
    margins = [(value - cut) / unit for value, (cut, unit) in zip(measures, CUTS, strict=True)]
    return float(max(UNKNOWN, min(margins)))


def ring_measures(pixels: Image, head: Mask) -> NDArray[np.float64] | None:
    """Measure the ring of a head against its interior; lengths are shares of the head's radius.

    In this order: the ring's brightness, the median of 36 sectors; the share of sectors in which it is
    brighter than half way from the interior's median to the highest; how much darker than the interior's
    median it gets below its peak (0 or less, the median of sectors); the share of the rim (depth below 0.25)
    that is bright; less the share of the interior (depth above 0.35) that is; and the lower quartile of what
    is bright in the rim.
    """
    depth = ndimage.distance_transform_edt(head) / np.sqrt(head.sum() / np.pi)
    inside = depth > INSIDE
    if inside.sum() < FEWEST:
        return None
    middle = float(np.median(pixels[inside]))
    half = (1 + middle) / 2
    profile = _profiles(pixels, head, depth)
    peak_place = profile[:, :OUTER].argmax(1)
    peak = profile[np.arange(len(profile)), peak_place]
    beyond = np.where(np.arange(DEPTHS) >= peak_place[:, None], profile, np.inf)
    rim = head & (depth < RING)
    bright = pixels > max(half, 0.75)
    fairly = pixels[rim & (pixels > max(half, 0.6))]
    return np.array(
        [
            np.median(peak),
            np.mean(peak > half),
            np.median(beyond.min(1)) - middle,
            bright[rim].mean(),
            -bright[inside].mean(),
            np.quantile(fairly, 0.25) if fairly.size else 0.0,
        ]
    )


def _profiles(pixels: Image, head: Mask, depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean brightness (sectors, DEPTHS) by angle and depth; empty cells take the mean of all."""
    rows, columns = np.nonzero(head & (depth < DEPTHS * STEP))
    angle = np.arctan2(rows - rows.mean(), columns - columns.mean()) / (2 * np.pi) + 0.5
    sector = np.minimum((angle * SECTORS).astype(np.intp), SECTORS - 1)
    cell = sector * DEPTHS + (depth[rows, columns] / STEP).astype(np.intp)
    values = pixels[rows, columns]
    counts = np.bincount(cell, minlength=SECTORS * DEPTHS)
    sums = np.bincount(cell, values, minlength=SECTORS * DEPTHS)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
    kept = counts.reshape(SECTORS, DEPTHS).any(1)
    return np.asarray(means.reshape(SECTORS, DEPTHS)[kept])
