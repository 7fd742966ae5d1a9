"""Pixel figures over any number of heat maps, in memory that does not grow with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.evaluation.mask_regions import WHOLE, MaskRegions
from atypia.evaluation.metrics import Tally
from atypia.evaluation.weighted import AUPRO_LIMIT, aupro_of

_BITS = 20
_SIGN = np.uint32(0x80000000)


class PixelHistogram:
    """Counts abnormal and normal pixels by score, in 2**20 bins of 0.05 % of the score's own size.

    A bin is the top 20 bits of the float32 score (sign, exponent, 11 bits of mantissa), so that no range has
    to be known beforehand, and a score is off by at most one part in 2048. The memory is 24 MiB.
    """

    def __init__(self) -> None:
        self._abnormal = np.zeros(1 << _BITS, dtype=np.int64)
        self._normal = np.zeros(1 << _BITS, dtype=np.int64)
        self._shares = np.zeros(1 << _BITS, dtype=np.int64)
        self.regions = 0

    def add(self, scores: ArrayLike, truth: ArrayLike | None = None) -> None:
        """Count a heat map (H, W) against its mask (H, W), True where abnormal; None is an empty mask.

        Raises ValueError on a score that is not finite, or on unequal shapes.
        """
        self.count(*checked(scores, truth))

    def count(self, values: NDArray[np.float32], regions: MaskRegions) -> None:
        """Count a heat map (H, W) of finite numbers against the regions of its mask."""
        bins, mask = bins_of(values), regions.mask
        np.add.at(self._abnormal, bins[mask], 1)
        np.add.at(self._normal, bins[~mask], 1)
        if regions.count:
            np.add.at(self._shares, bins[mask], regions.shares)
            self.regions += regions.count

    @property
    def abnormal(self) -> int:
        """How many abnormal pixels were counted."""
        return int(self._abnormal.sum())

    @property
    def normal(self) -> int:
        """How many normal pixels were counted."""
        return int(self._normal.sum())

    def tally(self) -> Tally:
        """Return the filled bins, each under the lowest score that falls into it."""
        filled = np.flatnonzero(self._abnormal + self._normal)
        return Tally(_lowest(filled).astype(np.float64), self._abnormal[filled], self._normal[filled])

    def auroc(self) -> float:
        """Return the chance that an abnormal pixel outscores a normal one; NaN without both kinds."""
        return self.tally().auroc()

    def average_precision(self) -> float:
        """Return the area under the stepwise precision-recall curve; NaN without pixels of both kinds."""
        return self.tally().average_precision()

    def aupro(self, limit: float = AUPRO_LIMIT) -> float:
        """Return the area under the per-region overlap up to this false-positive rate, over that rate.

        NaN without regions or without normal pixels; see `aupro_of`.
        """
        filled = np.flatnonzero(self._abnormal + self._normal)[::-1]
        if not self.regions or not self.normal:
            return float("nan")
        shares = self._shares[filled][None] / WHOLE
        normal = self._normal[filled][None].astype(np.float64)
        return float(aupro_of(shares, normal, np.array([float(self.regions)]), limit)[0])

    def best_dice(self) -> tuple[float, float]:
        """Return the highest Dice over all thresholds, and the score from which pixels count as found there.

        Both are NaN without abnormal pixels. The threshold was chosen with the labels: an upper bound.
        """
        tally = self.tally()
        if not self.abnormal:
            return float("nan"), float("nan")
        found, false = tally.at_least()
        scores = 2 * found / (found + false + self.abnormal)
        best = int(scores.argmax())
        return float(scores[best]), float(tally.values[best])

    def dice(self, threshold: float) -> float:
        """Return the Dice of the pixels in the threshold's bin and above; NaN without abnormal pixels."""
        if not self.abnormal:
            return float("nan")
        start = int(bins_of(np.asarray([threshold], dtype=np.float32))[0])
        found, false = int(self._abnormal[start:].sum()), int(self._normal[start:].sum())
        return 2 * found / (found + false + self.abnormal)


def checked(scores: ArrayLike, truth: ArrayLike | None = None) -> tuple[NDArray[np.float32], MaskRegions]:
    """Return a heat map (H, W) and the regions of its mask; None is an empty mask.

    Raises ValueError on a score that is not finite, or on unequal shapes.
    """
    values = np.asarray(scores, dtype=np.float32)
    mask = np.zeros(values.shape, bool) if truth is None else np.asarray(truth, dtype=bool)
    if not np.isfinite(values).all():
        raise ValueError("Expected a heat map of finite numbers; received NaN or infinity.")
    if mask.shape != values.shape:
        raise ValueError(f"Expected a mask of {values.shape} like its heat map; received {mask.shape}.")
    return values, MaskRegions.of(mask)


def bins_of(scores: NDArray[np.float32], bits: int = _BITS) -> NDArray[np.intp]:
    """Map float32 to its top bits in the order of scores: flip all of negatives, the sign of the others."""
    pattern = (scores + np.float32(0.0)).view(np.uint32)
    ordered = np.where(pattern & _SIGN, ~pattern, pattern | _SIGN)
    return (ordered >> np.uint32(32 - bits)).astype(np.intp)


def _lowest(bins: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the lowest score of each bin: the way back of `bins_of`."""
    ordered = bins.astype(np.uint32) << np.uint32(32 - _BITS)
    bits = np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered)
    return bits.astype(np.uint32).view(np.float32)
