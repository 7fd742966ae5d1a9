"""DeLong's test of two areas under the ROC curve measured on the same scans."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from atypia.errors import BadOption
from atypia.evaluation.intervals import Interval

Floats = NDArray[np.float64]
_Z = 1.959963984540054


@dataclass(frozen=True)
class DeLong:
    """The AUROC of two scores, their difference `first - second` with its 95 % interval, and its p-value.

    The p-value is two-sided, of equal areas. Scans are taken as independent.
    """

    first: float
    second: float
    interval: Interval
    p_value: float

    @property
    def difference(self) -> float:
        """The first area less the second."""
        return self.first - self.second


def delong(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> DeLong:
    """Compare two scores (N,) of the same scans, whose `labels` (N,) are True where abnormal.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, eq. 5 to 8, by the ranks of Sun and Xu (2014),
    IEEE Signal Processing Letters 21. Where the variance of the difference is 0, as of two scores that rank
    all scans alike, the p-value is 1 without a difference and 0 with one.
    Raises BadOption unless there are at least two scans of each label and all scores are numbers.

    >>> delong([0, 0, 0, 1, 1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]).p_value
    1.0
    """
    abnormal = np.asarray(labels, dtype=bool)
    scores = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    counts = int(abnormal.sum()), int((~abnormal).sum())
    if min(counts) < 2:
        raise BadOption(
            f"DeLong's test: expected at least two abnormal and two normal scans, received {counts[0]} and "
            f"{counts[1]}."
        )
    if not np.isfinite(scores).all():
        raise BadOption("DeLong's test: expected scores that are finite numbers, received others among them.")
    of_abnormal, of_normal = _placements(scores, abnormal)
    areas = of_abnormal.mean(axis=1)
    covariance = np.cov(of_abnormal) / counts[0] + np.cov(of_normal) / counts[1]
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(areas[0] - areas[1])
    if variance <= 1e-15:
        p_value = 1.0 if abs(difference) < 1e-12 else 0.0
        return DeLong(float(areas[0]), float(areas[1]), (difference, difference), p_value)
    error = math.sqrt(variance)
    interval = (max(difference - _Z * error, -1.0), min(difference + _Z * error, 1.0))
    p_value = float(2 * norm.sf(abs(difference) / error))
    return DeLong(float(areas[0]), float(areas[1]), interval, p_value)


def _placements(scores: Floats, abnormal: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the share of normal scans below each abnormal one, of abnormal ones above each normal one."""
    high, low = scores[:, abnormal], scores[:, ~abnormal]
    together = rankdata(np.concatenate([high, low], axis=1), axis=1)
    n_high, n_low = high.shape[1], low.shape[1]
    of_abnormal = (together[:, :n_high] - rankdata(high, axis=1)) / n_low
    of_normal = 1 - (together[:, n_high:] - rankdata(low, axis=1)) / n_high
    return of_abnormal, of_normal
