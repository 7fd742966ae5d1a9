"""How well whole scans were judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.intervals import (
    NOWHERE,
    Interval,
    auroc_interval,
    perfect_precision_interval,
    share_interval,
)
from atypia.evaluation.metrics import Confusion, auroc, average_precision, confusion
from atypia.evaluation.resampling import GroupBootstrap, Sampled
from atypia.evaluation.verdicts import Verdicts
from atypia.evaluation.weighted import FALSE_ALARMS, Ranking, sensitivity_name, share

Floats = NDArray[np.float64]

NEEDS = {
    "auroc": "both",
    "average_precision": "both",
    "accuracy": "any",
    "sensitivity": "abnormal",
    "specificity": "normal",
    "false_alarm_rate": "normal",
    **{sensitivity_name(rate): "both" for rate in FALSE_ALARMS},
}
"""Every figure of whole scans, and the scans that it is of."""


@dataclass(frozen=True)
class ImageMetrics:
    """Figures of merit over scans; NaN where they need scans of a label that is missing.

    `sensitivity_at` is the sensitivity at the score that 1, 5 and 10 % of these very normal scans exceed: a
    reading of the ROC curve, which no user has beforehand. `alpha` is the rate of false alarms that the
    threshold is set for, NaN where its rule is set for none. Scans that could not be judged are in
    `unreadable`, those not fit to be judged in `unfit`, and in no other figure. `intervals` are 95 %, by
    name; `degenerate` counts the resamples that left a figure undefined.
    """

    auroc: float
    average_precision: float
    confusion: Confusion
    threshold: float
    unreadable: int = 0
    unfit: int = 0
    alpha: float = math.nan
    sensitivity_at: dict[float, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    degenerate: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        verdicts: Verdicts,
        threshold: float,
        *,
        unreadable: int = 0,
        unfit: int = 0,
        alpha: float = math.nan,
        resamples: int = 0,
    ) -> ImageMetrics:
        """Measure these verdicts, given at this threshold; intervals by `resamples` over groups, if any."""
        ranking = Ranking.of(verdicts.scores, verdicts.labels)
        once = ranking.figures(np.ones((1, len(verdicts))))
        measured = cls(
            auroc=auroc(verdicts.scores, verdicts.labels),
            average_precision=average_precision(verdicts.scores, verdicts.labels),
            confusion=confusion(verdicts.flagged, verdicts.labels),
            threshold=threshold,
            unreadable=unreadable,
            unfit=unfit,
            alpha=alpha,
            sensitivity_at={rate: float(once[sensitivity_name(rate)][0]) for rate in FALSE_ALARMS},
        )
        if not resamples:
            return measured
        drawn = verdicts.bootstrap(resamples)
        return measured._with(_sample(drawn, ranking, verdicts))

    @property
    def false_alarm_rate(self) -> float:
        """The share of the normal scans that were flagged, in [0, 1]."""
        return 1 - self.confusion.specificity

    @property
    def false_alarm_binomial(self) -> Interval:
        """The 95 % Wilson interval of the rate of false alarms, scans taken to be independent."""
        return share_interval(self.confusion.false_positive, self.confusion.normal)

    @property
    def figures(self) -> dict[str, float]:
        """Every figure by its name, in the order of NEEDS."""
        counts = self.confusion
        return {
            "auroc": self.auroc,
            "average_precision": self.average_precision,
            "accuracy": counts.accuracy,
            "sensitivity": counts.sensitivity,
            "specificity": counts.specificity,
            "false_alarm_rate": self.false_alarm_rate,
            **{sensitivity_name(rate): self.sensitivity_at.get(rate, math.nan) for rate in FALSE_ALARMS},
        }

    def interval(self, name: str) -> Interval:
        """Return the 95 % interval of a figure; NaN where there is none."""
        return self.intervals.get(name, NOWHERE)

    def to_dict(self) -> dict[str, Any]:
        """Return the block `image` of `metrics.json`, NaN still in it."""
        counts = self.confusion
        return {
            **self.figures,
            "intervals": {name: list(self.interval(name)) for name in NEEDS},
            "degenerate_resamples": self.degenerate,
            "alpha": self.alpha,
            "false_alarm_binomial": list(self.false_alarm_binomial),
            "confusion": {
                "true_positive": counts.true_positive,
                "false_negative": counts.false_negative,
                "false_positive": counts.false_positive,
                "true_negative": counts.true_negative,
            },
            "threshold": self.threshold,
            "counts": {
                "normal": counts.normal,
                "abnormal": counts.abnormal,
                "unreadable": self.unreadable,
                "unfit": self.unfit,
            },
        }

    def _with(self, sampled: Sampled) -> ImageMetrics:
        judged = self.confusion.abnormal + self.confusion.normal
        share = self.confusion.abnormal / judged if judged else math.nan
        intervals = {name: interval_of(name, value, sampled, share) for name, value in self.figures.items()}
        return ImageMetrics(**{**self.__dict__, "intervals": intervals, "degenerate": sampled.degenerate()})


def _sample(drawn: GroupBootstrap, ranking: Ranking, verdicts: Verdicts) -> Sampled:
    """Measure every resample."""
    labels, flagged = verdicts.labels, verdicts.flagged
    sorts = np.stack([labels & flagged, labels, ~labels & ~flagged, ~labels], axis=1).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        caught, abnormal, passed, normal = (weights @ sorts).T
        specificity = share(passed, normal)
        return {
            **ranking.figures(weights),
            "accuracy": share(caught + passed, abnormal + normal),
            "sensitivity": share(caught, abnormal),
            "specificity": specificity,
            "false_alarm_rate": 1 - specificity,
        }

    return drawn.sample(measure)


def interval_of(name: str, value: float, sampled: Sampled, abnormal_share: float) -> Interval:
    """Return the 95 % interval of a figure out of NEEDS from its resamples; NaN where there is none.

    For 0 and 1, which they only repeat, it is that of so many groups. `abnormal_share` is that of the scans.
    """
    if math.isnan(value):
        return NOWHERE
    found = sampled.interval(name, needs=NEEDS[name])
    if found != (value, value) or value not in (0.0, 1.0):
        return found
    abnormal, normal = sampled.abnormal_groups, sampled.normal_groups
    if name == "auroc":
        return auroc_interval(value, abnormal, normal)
    if name == "average_precision":
        return perfect_precision_interval(abnormal, normal, abnormal_share)
    groups = {"abnormal": abnormal, "both": abnormal, "normal": normal, "any": abnormal + normal}[NEEDS[name]]
    return share_interval(round(value * groups), groups)
