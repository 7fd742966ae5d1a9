"""Figures of merit of many resamples at once: scores and labels stay, the weights of the scans change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FALSE_ALARMS = (0.01, 0.05, 0.10)
"""Shares of normal scans flagged, at which the sensitivity is read off the ROC curve."""

AUPRO_LIMIT = 0.3
"""The rate of false-positive pixels up to which the per-region overlap is measured."""

_ROUNDING = 1 + 1e-9


def sensitivity_name(share: float) -> str:
    """Return the name of the figure "sensitivity at this share of false alarms".

    >>> sensitivity_name(0.05)
    'sensitivity_at_5'
    """
    return f"sensitivity_at_{100 * share:g}"


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores (N,) and labels (N,) in falling order, ready to be measured under many weights.

    `order` (N,) sorts the scans by falling score; `abnormal` (N,) are their labels in that order; `starts`
    (K,) is where each distinct score begins. What is measured takes weights (B, N) in the scans' own order,
    and is NaN where a resample holds no scan of a label.
    """

    order: NDArray[np.intp]
    abnormal: NDArray[np.bool_]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike) -> Ranking:
        """Sort scores (N,) that are numbers."""
        values, abnormal = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
        order = np.argsort(-values, kind="stable")
        falling = values[order]
        starts = np.flatnonzero(np.concatenate([[True], falling[1:] != falling[:-1]])[: len(falling)])
        return cls(order, abnormal[order], starts)

    def tallies(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weight of abnormal and of normal scans at each distinct score, falling, (B, K) each."""
        sorted_weights = weights[:, self.order]
        abnormal = sorted_weights * self.abnormal
        normal = sorted_weights - abnormal
        if len(self.starts) < len(self.order):
            abnormal = np.add.reduceat(abnormal, self.starts, axis=1)
            normal = np.add.reduceat(normal, self.starts, axis=1)
        return abnormal, normal

    def auroc(self, weights: Floats) -> Floats:
        """Return the area under the ROC curve of each resample, (B,), ties counting half."""
        return auroc_of(*self.tallies(weights))

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return AUROC, average precision and the sensitivities at FALSE_ALARMS, (B,) each."""
        abnormal, normal = self.tallies(weights)
        found, false = np.cumsum(abnormal, axis=1), np.cumsum(normal, axis=1)
        figures = {
            "auroc": auroc_of(abnormal, normal),
            "average_precision": _average_precision(abnormal, found, false),
        }
        for share in FALSE_ALARMS:
            figures[sensitivity_name(share)] = _sensitivity_at(share, found, false)
        return figures


def auroc_of(abnormal: Floats, normal: Floats) -> Floats:
    """Return the AUROC of each row of two tallies (B, K) by falling score, (B,)."""
    higher = np.cumsum(normal, axis=1)
    total = higher[:, -1:]
    wins = np.einsum("bk,bk->b", abnormal, total - higher + normal / 2)
    return share(wins, abnormal.sum(axis=1) * total[:, 0])


def average_precision_of(abnormal: Floats, normal: Floats) -> Floats:
    """Return the stepwise area under the precision-recall curve of two tallies (B, K), (B,)."""
    return _average_precision(abnormal, np.cumsum(abnormal, axis=1), np.cumsum(normal, axis=1))


def aupro_of(shares: Floats, normal: Floats, regions: Floats, limit: float = AUPRO_LIMIT) -> Floats:
    """Return the area under the curve of the per-region overlap up to a false-positive rate, over that rate.

    `shares` (B, K) are the summed shares of regions at each falling score, `normal` (B, K) the normal pixels
    there, `regions` (B,) the number of regions. Bergmann, Batzner, Fauser, Sattlegger and Steger (2021), "The
    MVTec Anomaly Detection Dataset", International Journal of Computer Vision 129, section 5.2.
    """
    start = np.zeros((len(shares), 1))
    overlap = np.concatenate([start, share(np.cumsum(shares, 1), _wide(regions, shares))], axis=1)
    total = normal.sum(axis=1)
    rate = np.concatenate([start, share(np.cumsum(normal, 1), _wide(total, normal))], axis=1)
    low, high = rate[:, :-1], rate[:, 1:]
    width = high - low
    part = np.clip(np.divide(limit - low, width, out=np.ones_like(width), where=width > 0), 0, 1)
    rise = (overlap[:, 1:] - overlap[:, :-1]) * part
    area = np.where(low < limit, width * part * (overlap[:, :-1] + rise / 2), 0.0)
    return np.asarray(area.sum(axis=1) / limit)


def share(part: Floats, whole: Floats) -> Floats:
    """Divide, with NaN where there is nothing to divide by."""
    none = np.full(np.shape(part), np.nan)
    return np.asarray(np.divide(part, whole, out=none, where=np.asarray(whole) > 0))


def _average_precision(abnormal: Floats, found: Floats, false: Floats) -> Floats:
    precision = np.divide(found, found + false, out=np.zeros_like(found), where=found > 0)
    area = share(np.einsum("bk,bk->b", abnormal, precision), found[:, -1])
    return np.asarray(np.where(false[:, -1] > 0, area, np.nan))


def _sensitivity_at(rate: float, found: Floats, false: Floats) -> Floats:
    """Return the share of abnormal scans found at the lowest score that so few normal scans reach."""
    allowed = (false <= rate * false[:, -1:] * _ROUNDING).sum(axis=1)
    best = np.take_along_axis(found, np.maximum(allowed - 1, 0)[:, None], axis=1)[:, 0]
    sensitivity = share(np.where(allowed > 0, best, 0.0), found[:, -1])
    return np.asarray(np.where(false[:, -1] > 0, sensitivity, np.nan))


def _wide(total: Floats, like: Floats) -> Floats:
    return np.broadcast_to(total[:, None], like.shape)
