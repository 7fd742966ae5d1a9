"""What calibration promised of the p-values to come, and how they rank if the promise holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

FINEST = 20_000
_TOLERANCE = 1e-9
_LOOKED_AT = 64


@dataclass(frozen=True)
class Promise:
    """P-values against `size` calibration scans (or groups), of which those above `cut` are looked at.

    Such a p-value is one of the `size` + 1 multiples of 1 / (`size` + 1). Given those that came before, the
    next one falls on each with a probability in proportion to 1 + the number that fell there before: Pólya's
    urn, whose shares are those of Beta and beta-binomial distributions (Marques, "Universal distribution of
    the empirical coverage in split conformal prediction", Statistics and Probability Letters 219, 2025).
    So a small calibration is not blamed for chance: what it got wrong by luck counts as what it is.
    `size` None stands for a calibration so large that chance in it does not count.
    """

    size: int | None
    cut: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.cut < 1:
            raise ValueError(f"expected a cut in [0, 1), received {self.cut}")

    @property
    def bins(self) -> int:
        """The number of values that a p-value can take."""
        return (self.size or 0) + 1

    @property
    def first(self) -> int:
        """The first bin above the cut, counted from 0."""
        return min(math.floor(self.cut * self.bins + _TOLERANCE), self.bins - 1)

    def looked_at(self, p_values: Floats) -> NDArray[np.bool_]:
        """Return True (N,) where a p-value is above the cut."""
        if self.size is None:
            return np.asarray(p_values > self.cut)
        return np.asarray(self._bin(p_values) >= self.first)

    def ranks(self, p_values: Floats, rng: np.random.Generator) -> Floats:
        """Return a rank in (0, 1) for each p-value (N,) above the cut, low where a scan is unusual.

        If calibration and stream are exchangeable they are independent and uniform: what an online conformal
        predictor gives (Vovk, Nouretdinov and Gammerman, "Testing exchangeability on-line", 2003).
        """
        if self.size is None:
            return np.asarray((p_values - self.cut) / (1 - self.cut))
        counts = np.ones(self.bins - self.first)
        ranks = np.empty(len(p_values))
        within = rng.random(len(p_values))
        for place, found in enumerate(self._bin(p_values) - self.first):
            ranks[place] = (counts[:found].sum() + within[place] * counts[found]) / counts.sum()
            counts[found] += 1
        return ranks

    def counts(self, window: int, share: float, abnormal: float) -> tuple[Floats, Floats]:
        """Return how probable 0 to `window` low p-values are in a window, (window + 1,) each.

        Low are those of the lowest `share` of what is above the cut. Of the scans a share of `abnormal` need
        not be healthy: first as if all these had low p-values, then as if none had.
        """
        sick = stats.binom.pmf(np.arange(window + 1), window, abnormal)
        most, fewest = np.zeros(window + 1), np.zeros(window + 1)
        for count in np.flatnonzero(sick > 1e-15):
            healthy = self._low_counts(window - int(count), share)
            most[count:] += sick[count] * healthy
            fewest[: len(healthy)] += sick[count] * healthy
        return most, fewest

    def low(self, p_values: Floats, share: float) -> NDArray[np.bool_]:
        """Return True (N,) where a p-value, above the cut, is in the lowest `share` there."""
        if self.size is None:
            return np.asarray(p_values <= self.cut + share * (1 - self.cut))
        return np.asarray(self._bin(p_values) < self.first + self._low_bins(share))

    def expected(self, share: float) -> float:
        """Return the share that is low if the promise holds: `share` on the bins that there are."""
        return share if self.size is None else self._low_bins(share) / (self.bins - self.first)

    def _low_bins(self, share: float) -> int:
        """Return how many of the bins above the cut are low: one at least, else nothing could ever be."""
        return max(1, math.floor(share * (self.bins - self.first) + _TOLERANCE))

    def _low_counts(self, window: int, share: float) -> Floats:
        counts = np.arange(window + 1)
        if self.size is None:
            return np.asarray(stats.binom.pmf(counts, window, share))
        low = self._low_bins(share)
        if low == self.bins - self.first:
            return np.asarray(counts == window, dtype=np.float64)
        return np.asarray(stats.betabinom.pmf(counts, window, low, self.bins - self.first - low))

    def _bin(self, p_values: Floats) -> NDArray[np.int64]:
        found = np.ceil(p_values * self.bins - _TOLERANCE * self.bins).astype(np.int64) - 1
        return np.clip(found, 0, self.bins - 1)


def size_of(p_values: Floats) -> int | None:
    """Return the smallest size of a calibration that could give all these p-values, or None.

    They are multiples of 1 / (size + 1), unless scans came in groups. With few of them the size found may be
    smaller than the true one, which makes an alarm later, not sooner.

    >>> size_of(np.array([3, 7, 12]) / 40), size_of(np.array([0.123456, 0.654321]))
    (39, None)
    """
    distinct = np.unique(p_values)
    bins = np.arange(2, FINEST + 1)
    for start in range(0, len(distinct), _LOOKED_AT):
        grid = distinct[start : start + _LOOKED_AT, None] * bins
        bins = bins[(np.abs(grid - np.round(grid)) < _TOLERANCE * bins).all(axis=0)]
    return int(bins[0]) - 1 if len(bins) else None
