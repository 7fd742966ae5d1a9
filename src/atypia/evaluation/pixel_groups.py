"""What each group's heat maps add to the pixel figures, in coarse bins, so that groups can be drawn anew."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.mask_regions import WHOLE, MaskRegions
from atypia.evaluation.pixel_histogram import bins_of
from atypia.evaluation.weighted import aupro_of, auroc_of, average_precision_of, share

Floats = NDArray[np.float64]

BITS = 14
"""Of the float32 of a score: sign, exponent and 5 bits of mantissa, so bins of 3 % of a score."""

MOST = 1024
"""Bins that are kept apart; of scores that fill more, neighbours are joined."""


@dataclass
class PixelGroups:
    """Abnormal pixels, normal pixels and the shares of regions by group and coarse bin.

    A group costs some 32 bytes for every bin that it fills: a few kilobytes, however many scans it has.
    """

    threshold: float
    _bins: dict[str, NDArray[np.intp]] = field(default_factory=dict)
    _counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _above: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _regions: dict[str, int] = field(default_factory=dict)

    def add(self, group: str, scores: NDArray[np.float32], regions: MaskRegions) -> None:
        """Count one map (H, W) of finite numbers with the regions of its mask."""
        bins = bins_of(scores.ravel(), BITS)
        first, masked = int(bins.min()), regions.mask.ravel()
        places = bins - first
        size = int(places.max()) + 1
        dense = np.zeros((3, size), np.int64)
        dense[0] = np.bincount(places[masked], minlength=size)
        dense[1] = np.bincount(places[~masked], minlength=size)
        if regions.count:
            np.add.at(dense[2], places[masked], regions.shares)
        filled = np.flatnonzero(dense[:2].any(axis=0))
        self._merge(group, filled + first, dense[:, filled])
        found = bins_of(scores.ravel()) >= bins_of(np.array([self.threshold], np.float32))[0]
        above = np.array([(found & masked).sum(), (found & ~masked).sum(), masked.sum()], np.int64)
        self._above[group] = self._above.get(group, np.zeros(3, np.int64)) + above
        self._regions[group] = self._regions.get(group, 0) + regions.count

    def _merge(self, group: str, bins: NDArray[np.intp], counts: NDArray[np.int64]) -> None:
        if group in self._bins:
            old = self._bins[group]
            union = np.union1d(old, bins)
            joined = np.zeros((3, len(union)), np.int64)
            joined[:, np.searchsorted(union, old)] += self._counts[group]
            joined[:, np.searchsorted(union, bins)] += counts
            bins, counts = union, joined
        self._bins[group], self._counts[group] = bins, counts

    def table(self, groups: list[str]) -> PixelTable:
        """Return what was counted of these groups, in this order, on shared bins."""
        places = [self._bins[group] for group in groups]
        union, shift = np.unique(np.concatenate(places)), 0
        while len(np.unique(union >> shift)) > MOST:
            shift += 1
        bins = np.unique(union >> shift)
        dense = np.zeros((3, len(groups), len(bins)))
        for row, (group, own) in enumerate(zip(groups, places, strict=True)):
            at = np.searchsorted(bins, own >> shift)
            for layer in range(3):
                np.add.at(dense[layer, row], at, self._counts[group][layer])
        above = np.array([self._above[group] for group in groups], dtype=np.float64)
        regions = np.array([self._regions[group] for group in groups], dtype=np.float64)
        return PixelTable(dense[0], dense[1], dense[2] / WHOLE, regions, above)


@dataclass(frozen=True, eq=False)
class PixelTable:
    """Pixels by group and rising score, (G, K) each; `regions` (G,); `above` (G, 3) at the threshold.

    `above` are the abnormal and normal pixels found there, and the abnormal ones in all.
    """

    abnormal: Floats
    normal: Floats
    shares: Floats
    regions: Floats
    above: Floats

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return the pixel figures of each resample, (B,) by name, from the weights of the groups (B, G)."""
        abnormal, normal = ((weights @ counts)[:, ::-1] for counts in (self.abnormal, self.normal))
        shares = (weights @ self.shares)[:, ::-1]
        found, false, masked = (weights @ self.above).T
        return {
            "auroc": auroc_of(abnormal, normal),
            "average_precision": average_precision_of(abnormal, normal),
            "aupro": aupro_of(shares, normal, weights @ self.regions),
            "dice": share(2 * found, found + false + masked),
            "best_dice": _best_dice(abnormal, normal),
        }


def _best_dice(abnormal: Floats, normal: Floats) -> Floats:
    found, false = np.cumsum(abnormal, axis=1), np.cumsum(normal, axis=1)
    total = found[:, -1:]
    scores = np.divide(2 * found, found + false + total, out=np.zeros_like(found), where=total > 0)
    return np.where(total[:, 0] > 0, scores.max(axis=1), np.nan)
