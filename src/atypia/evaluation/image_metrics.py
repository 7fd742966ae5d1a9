"""How well whole scans were judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from atypia.evaluation.intervals import Interval, auroc_interval, share_interval
from atypia.evaluation.metrics import Confusion, auroc, average_precision, confusion
from atypia.evaluation.verdicts import Verdicts


@dataclass(frozen=True)
class ImageMetrics:
    """Figures of merit over scans; NaN where they need scans of a label that is missing.

    Scans that could not be judged are in `unreadable` and in no other figure.
    """

    auroc: float
    average_precision: float
    confusion: Confusion
    threshold: float
    unreadable: int

    @classmethod
    def of(cls, verdicts: Verdicts, threshold: float, unreadable: int = 0) -> ImageMetrics:
        """Measure these verdicts, given at this threshold."""
        return cls(
            auroc=auroc(verdicts.scores, verdicts.labels),
            average_precision=average_precision(verdicts.scores, verdicts.labels),
            confusion=confusion(verdicts.flagged, verdicts.labels),
            threshold=threshold,
            unreadable=unreadable,
        )

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals of the AUROC, accuracy, sensitivity and specificity, by name."""
        counts = self.confusion
        return {
            "auroc": auroc_interval(self.auroc, counts.abnormal, counts.normal),
            "accuracy": share_interval(counts.right, counts.abnormal + counts.normal),
            "sensitivity": share_interval(counts.true_positive, counts.abnormal),
            "specificity": share_interval(counts.true_negative, counts.normal),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the block `image` of `metrics.json`, NaN still in it."""
        counts = self.confusion
        return {
            "auroc": self.auroc,
            "average_precision": self.average_precision,
            "accuracy": counts.accuracy,
            "sensitivity": counts.sensitivity,
            "specificity": counts.specificity,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
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
            },
        }
