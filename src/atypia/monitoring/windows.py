"""A check window by window: whether chance explains the share of low p-values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from atypia.monitoring.promise import Promise

_LIMITS = 2  # by distance and by noise


@dataclass(frozen=True)
class Window:
    """The scans from `start` to `stop` (exclusive) of those looked at: how many were low, and what may be.

    `fewest` and `most` are the smallest and largest numbers that the promise allows in this window.
    """

    start: int
    stop: int
    low: int
    fewest: int
    most: int

    @property
    def alarm(self) -> bool:
        """Whether the number is outside what the promise allows."""
        return not self.fewest <= self.low <= self.most


def check_windows(
    p_values: NDArray[np.float64],
    promise: Promise,
    window: int,
    *,
    share: float,
    abnormal: float,
    risk: float,
) -> tuple[Window, ...]:
    """Check each full window of p-values (N,) above the cut; the chance of any false alarm is at most `risk`.

    The test is exact: binomial, or beta-binomial where the size of the calibration is known. Of the risk the
    i-th window may use 1 / (i (i + 1)), half at each end, so that they add up however long the stream is.
    """
    low = promise.low(p_values, share)
    most, fewest = promise.counts(window, share, abnormal)
    above = np.cumsum(most[::-1])[::-1]  # of at least so many
    below = np.cumsum(fewest)  # of at most so many
    found = []
    for number, start in enumerate(range(0, len(low) - window + 1, window), 1):
        level = risk / (2 * number * (number + 1))
        highest = int(np.argmax(above <= level)) - 1 if (above <= level).any() else window
        lowest = int(np.argmax(below > level))
        found.append(Window(start, start + window, int(low[start : start + window].sum()), lowest, highest))
    return tuple(found)


def check_unfit(
    unfit: NDArray[np.bool_], size: int, refused: float, window: int, *, risk: float
) -> tuple[Window, ...]:
    """Check each full window of scans (N,) for more unfit ones than those of the calibration promise.

    Of the healthy scans at the fit a share `refused` was left out, as unlike the others as CT is, and a new
    one is unfit too where it passes one of two limits, each, on a small calibration, the largest value of its
    `size` scans or groups: of new ones so many are unfit as a beta-binomial distribution says (Marques,
    "Universal distribution of the empirical coverage in split conformal prediction", 2025). Risk is shared
    out as in `check_windows`.
    """
    passing = min(_LIMITS + refused * size, size)
    counts = np.arange(window + 1)
    chances = stats.betabinom.pmf(counts, window, passing, size + 1 - passing)
    above = np.cumsum(chances[::-1])[::-1]
    found = []
    for number, start in enumerate(range(0, len(unfit) - window + 1, window), 1):
        level = risk / (number * (number + 1))
        most = int(np.argmax(above <= level)) - 1 if (above <= level).any() else window
        found.append(Window(start, start + window, int(unfit[start : start + window].sum()), 0, most))
    return tuple(found)
