"""How well heat maps agree with masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from atypia.evaluation.intervals import NOWHERE, Interval
from atypia.evaluation.lesions import LesionMetrics

FIGURES = ("auroc", "average_precision", "aupro", "dice", "best_dice")
"""The figures that have an interval."""


@dataclass(frozen=True)
class PixelMetrics:
    """Figures of merit over all pixels of all scans pooled, on the grids of the inputs.

    `best_dice` is at `best_threshold`, which was chosen with the masks: an upper bound, never a promise.
    `dice` is at `threshold`, learned from healthy scans; both are NaN where none was given. `aupro` is the
    area under the per-region overlap up to a false-positive rate of 0.3, normalised. `lesions` is None where
    there is no threshold above what is usual. `intervals` are 95 %, by the bootstrap over groups.
    """

    auroc: float
    average_precision: float
    aupro: float
    best_dice: float
    best_threshold: float
    dice: float
    threshold: float
    masked_scans: int
    normal_scans: int
    abnormal_pixels: int
    normal_pixels: int
    lesions: LesionMetrics | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def interval(self, name: str) -> Interval:
        """Return the 95 % interval of one of FIGURES; NaN where there is none."""
        return self.intervals.get(name, NOWHERE)

    @property
    def figures(self) -> dict[str, float]:
        """The figures that have an interval, by name."""
        return {name: getattr(self, name) for name in FIGURES}

    def to_dict(self) -> dict[str, Any]:
        """Return the block `pixel` of `metrics.json`, NaN still in it."""
        return {
            **self.figures,
            "best_threshold": self.best_threshold,
            "threshold": self.threshold,
            "intervals": {name: list(self.interval(name)) for name in FIGURES},
            "lesions": None if self.lesions is None else self.lesions.to_dict(),
            "counts": {
                "masked": self.masked_scans,
                "normal": self.normal_scans,
                "abnormal_pixels": self.abnormal_pixels,
                "normal_pixels": self.normal_pixels,
            },
        }


def moved(interval: Interval, by: float) -> Interval:
    """Move an interval of a figure in [0, 1], found on coarse bins, to where the fine bins put the figure."""
    if math.isnan(by) or math.isnan(interval[0]):
        return NOWHERE
    low, high = (min(1.0, max(0.0, end + by)) for end in interval)
    return low, high
