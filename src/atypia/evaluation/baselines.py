"""What single numbers that know nothing of brains reach on the same scans: the mark to be beaten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.intervals import NOWHERE, Interval, auroc_interval
from atypia.evaluation.metrics import auroc
from atypia.evaluation.resampling import Sampled
from atypia.evaluation.verdicts import Verdicts
from atypia.evaluation.weighted import Ranking
from atypia.reading.row import Row
from atypia.scalars import SCALARS, TRIVIAL, measure_rows

Floats = NDArray[np.float64]

DETECTOR = "detector"
"""The name of the detector's own figure among those of the resamples."""


@dataclass(frozen=True)
class Baseline:
    """How well one number separates the labels, in the direction that does so better.

    The direction is chosen with the labels of these very scans, in favour of the baseline. `higher` says that
    more of it is taken for abnormal. `scans` have the number; the others are left out.
    `difference` is the detector's AUROC on those scans minus this one, its interval paired: both are measured
    on the same resamples. NaN, and intervals of NaN, where scans of a label are missing.
    """

    name: str
    meaning: str
    auroc: float
    interval: Interval
    higher: bool
    scans: int
    difference: float
    difference_interval: Interval

    @property
    def beaten(self) -> bool | None:
        """Whether the detector is better beyond chance; None where no interval says so."""
        low = self.difference_interval[0]
        return None if math.isnan(low) else low > 0

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of `baselines.of` of `metrics.json`, NaN still in it."""
        return {
            "auroc": self.auroc,
            "interval": list(self.interval),
            "higher_is_abnormal": self.higher,
            "scans": self.scans,
            "difference": self.difference,
            "difference_interval": list(self.difference_interval),
            "beaten": self.beaten,
        }


@dataclass(frozen=True)
class Baselines:
    """All baselines, and the scans of which none could be measured; `best` has the highest AUROC."""

    of: tuple[Baseline, ...]
    unreadable: int = 0

    @property
    def best(self) -> Baseline | None:
        """The baseline of the highest AUROC; None where none is defined."""
        known = [baseline for baseline in self.of if not math.isnan(baseline.auroc)]
        return max(known, key=lambda baseline: baseline.auroc, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the block `baselines` of `metrics.json`, NaN still in it."""
        return {
            "best": self.best.name if self.best else None,
            "of": {baseline.name: baseline.to_dict() for baseline in self.of},
            "unreadable": self.unreadable,
        }


def measure_baselines(verdicts: Verdicts, rows: Sequence[Row], resamples: int) -> Baselines:
    """Measure the trivial scalars of the scans judged; `rows` (N,) are those of the verdicts, in order."""
    measured = measure_rows(rows)
    found = [
        measure_baseline(name, SCALARS[name], measured.column(name), verdicts, resamples) for name in TRIVIAL
    ]
    return Baselines(tuple(found), len(measured.errors))


def measure_baseline(name: str, meaning: str, values: Floats, verdicts: Verdicts, resamples: int) -> Baseline:
    """Set one number of each scan (N,), NaN where it has none, beside the detector's scores."""
    known = np.isfinite(values)
    kept, numbers = verdicts.where(known), values[known]
    area = auroc(numbers, kept.labels)
    higher = math.isnan(area) or area >= 0.5
    area, signed = (area, numbers) if higher else (1 - area, -numbers)
    sampled = compare(kept, signed, resamples)
    return Baseline(
        name=name,
        meaning=meaning,
        auroc=area,
        interval=_interval(sampled, "other", area),
        higher=higher,
        scans=len(kept),
        difference=auroc(kept.scores, kept.labels) - area,
        difference_interval=sampled.interval("difference") if sampled.values else NOWHERE,
    )


def compare(verdicts: Verdicts, others: Floats, resamples: int) -> Sampled:
    """Measure the AUROC of the detector and of other scores (N,) of the same scans on the same resamples.

    The figures are `detector`, `other` and their `difference`.
    """
    if not resamples or not len(verdicts):
        return Sampled()
    ours, theirs = Ranking.of(verdicts.scores, verdicts.labels), Ranking.of(others, verdicts.labels)

    def measure(weights: Floats) -> dict[str, Floats]:
        first, second = ours.auroc(weights), theirs.auroc(weights)
        return {DETECTOR: first, "other": second, "difference": first - second}

    return verdicts.bootstrap(resamples).sample(measure)


def _interval(sampled: Sampled, name: str, value: float) -> Interval:
    if not sampled.values or math.isnan(value):
        return NOWHERE
    found = sampled.interval(name)
    if found == (value, value) and value == 1.0:
        return auroc_interval(value, sampled.abnormal_groups, sampled.normal_groups)
    return found
