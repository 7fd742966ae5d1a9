"""Figures of merit, in numpy alone: scores (higher is more abnormal) beside labels (True is abnormal).

All figures here are functions of a tally: how many abnormal and normal cases sit at each distinct score.
A list of image scores and a histogram of a billion pixels are therefore measured by the same code.
Where a figure is undefined, as the AUROC of a set without normal cases is, it is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Confusion:
    """How many cases were judged right and wrong; a rate without cases is NaN.

    >>> Confusion(true_positive=3, false_negative=1, false_positive=2, true_negative=6).sensitivity
    0.75
    """

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int

    @property
    def abnormal(self) -> int:
        """How many cases are abnormal."""
        return self.true_positive + self.false_negative

    @property
    def normal(self) -> int:
        """How many cases are normal."""
        return self.false_positive + self.true_negative

    @property
    def right(self) -> int:
        """How many cases were judged as they are."""
        return self.true_positive + self.true_negative

    @property
    def accuracy(self) -> float:
        """The share of all cases that were judged right, in [0, 1]."""
        return _share(self.right, self.abnormal + self.normal)

    @property
    def sensitivity(self) -> float:
        """The share of the abnormal cases that were flagged, in [0, 1]."""
        return _share(self.true_positive, self.abnormal)

    @property
    def specificity(self) -> float:
        """The share of the normal cases that were not flagged, in [0, 1]."""
        return _share(self.true_negative, self.normal)


@dataclass(frozen=True, eq=False)
class Tally:
    """Cases by score: `values` (K,) ascending and distinct, `abnormal` and `normal` (K,) cases at each."""

    values: Floats
    abnormal: Counts
    normal: Counts

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike) -> Tally:
        """Count scores (N,) by label (N,); raise ValueError on a NaN score or on unequal lengths."""
        checked, abnormal = _checked(scores, labels)
        values, places = np.unique(checked, return_inverse=True)
        total = np.bincount(places, minlength=len(values))
        positive = np.bincount(places[abnormal], minlength=len(values))
        return cls(values, positive, total - positive)

    def auroc(self) -> float:
        """Return the chance that an abnormal case outscores a normal one, ties counting half."""
        pairs = float(self.abnormal.sum()) * float(self.normal.sum())
        below = np.cumsum(self.normal) - self.normal
        return _share(float(self.abnormal @ (below + self.normal / 2)), pairs)

    def average_precision(self) -> float:
        """Return the precision at each score, weighted by the abnormal cases there: the stepwise area."""
        found, false = self.at_least()
        total = float(self.abnormal.sum())
        if not total or not self.normal.any():
            return float("nan")
        taken = self.abnormal > 0
        precision = found[taken] / (found[taken] + false[taken])
        return float(self.abnormal[taken] @ precision / total)

    def at_least(self) -> tuple[Counts, Counts]:
        """Return how many abnormal and how many normal cases score at least each value, (K,) and (K,)."""
        return np.cumsum(self.abnormal[::-1])[::-1], np.cumsum(self.normal[::-1])[::-1]


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve, ties by midranks; NaN without cases of both kinds.

    It is the Mann-Whitney statistic over its maximum: Hanley and McNeil (1982), "The meaning and use of
    the area under a receiver operating characteristic (ROC) curve", Radiology 143. Raises as `Tally.of`.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    return Tally.of(scores, labels).auroc()


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the stepwise precision-recall curve; NaN without cases of both kinds.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [False, False, True, True]), 4)
    0.8333
    """
    return Tally.of(scores, labels).average_precision()


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return false-positive rate, true-positive rate and threshold, (K + 1,) each, from (0, 0) to (1, 1).

    A case counts as flagged where it scores at least the threshold; the first threshold is infinite.
    Rates without cases are NaN.
    """
    tally = Tally.of(scores, labels)
    found, false = tally.at_least()
    rates = [_rates(counts) for counts in (false, found)]
    return rates[0], rates[1], np.concatenate([[np.inf], tally.values[::-1]])


def precision_recall_curve(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return recall, precision and threshold, (K + 1,) each, from recall 0 (precision 1 by custom) to 1.

    A case counts as flagged where it scores at least the threshold. Recall without abnormal cases is NaN.
    """
    tally = Tally.of(scores, labels)
    found, false = (counts[::-1] for counts in tally.at_least())
    precision = np.concatenate([[1.0], found / (found + false)])
    return _rates(found[::-1]), precision, np.concatenate([[np.inf], tally.values[::-1]])


def confusion(flagged: ArrayLike, labels: ArrayLike) -> Confusion:
    """Count decisions (N,) against labels (N,); raise ValueError on unequal lengths."""
    decided, abnormal = np.asarray(flagged, dtype=bool), np.asarray(labels, dtype=bool)
    if decided.shape != abnormal.shape:
        raise ValueError(f"Expected as many decisions as labels; received {decided.shape}, {abnormal.shape}.")
    return Confusion(
        true_positive=int((decided & abnormal).sum()),
        false_negative=int((~decided & abnormal).sum()),
        false_positive=int((decided & ~abnormal).sum()),
        true_negative=int((~decided & ~abnormal).sum()),
    )


def dice(found: ArrayLike, truth: ArrayLike) -> float:
    """Return twice the overlap of two masks over the sum of their sizes, in [0, 1]; NaN where both are empty.

    >>> dice([True, True, False], [True, False, False]).__round__(3)
    0.667
    """
    first, second = np.asarray(found, dtype=bool), np.asarray(truth, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(f"Expected two masks of one shape; received {first.shape} and {second.shape}.")
    return _share(2.0 * float((first & second).sum()), float(first.sum() + second.sum()))


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values, abnormal = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(labels, dtype=bool).ravel()
    if values.shape != abnormal.shape:
        raise ValueError(f"Expected as many scores as labels; received {len(values)} and {len(abnormal)}.")
    if np.isnan(values).any():
        raise ValueError("Expected scores that are numbers; received NaN.")
    return values, abnormal


def _rates(at_least: Counts) -> Floats:
    """Turn counts at or above ascending thresholds into shares, strictest threshold first, after a 0."""
    if not len(at_least) or not at_least[0]:
        return np.concatenate([[0.0], np.full(len(at_least), np.nan)])
    return np.concatenate([[0.0], at_least[::-1] / at_least[0]])


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
