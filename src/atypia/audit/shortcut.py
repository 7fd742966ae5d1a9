"""How well something that is no brain tells two sets of scans apart, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.intervals import NOWHERE, Interval, auroc_interval
from atypia.evaluation.metrics import auroc
from atypia.evaluation.resampling import GroupBootstrap, Sampled
from atypia.evaluation.weighted import Ranking

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

MANY = 20_000
LEAST_UNITS = 10
"""Independent scans of each side below which no figure is given."""


@dataclass(frozen=True)
class Shortcut:
    """One thing that tells two sets apart. `auroc` is in the better direction, at least 0.5 but by chance.

    `higher` says whether the second set has more of it; None where that has no meaning, as of a kind of file.
    `interval` is of 95 %, by drawing groups and clusters of copies; NaN where too few are known.
    `first` and `second` count the scans of each set that it is known of.
    """

    name: str
    group: str
    meaning: str
    auroc: float
    interval: Interval
    higher: bool | None
    first: int
    second: int

    @property
    def sure(self) -> float:
        """The lower end of the interval, or the AUROC itself where there is no interval."""
        return self.auroc if np.isnan(self.interval[0]) else self.interval[0]


def resamples_for(count: int) -> int:
    """Return how many resamples are drawn for so many scans: more scans need fewer."""
    return 1000 if count <= MANY else 300


def areas(
    scores: Mapping[str, Floats], truth: Truth, units: NDArray[np.intp], *, seed: int = 0
) -> dict[str, tuple[float, Interval]]:
    """Return the AUROC of each score (N,) and its interval; scans whose score is NaN are left out of it.

    `truth` (N,) is the side of each scan, `units` (N,) what is independent. All scores are measured on the
    same resamples.
    """
    known = {name: np.isfinite(values) for name, values in scores.items()}
    rankings = {name: Ranking.of(values[known[name]], truth[known[name]]) for name, values in scores.items()}
    codes = np.unique(units, return_inverse=True)[1]
    drawn = GroupBootstrap(codes.astype(np.intp), truth, resamples_for(len(truth)), seed)
    sampled = drawn.sample(
        lambda weights: {name: ranking.auroc(weights[:, known[name]]) for name, ranking in rankings.items()}
    )
    found = {}
    for name, values in scores.items():
        area = auroc(values[known[name]], truth[known[name]])
        found[name] = (area, _interval(sampled, name, area))
    return found


def better_way(area: float, interval: Interval) -> tuple[float, Interval, bool]:
    """Turn a figure below 0.5 round; say whether it stood as it was."""
    if not area < 0.5:
        return area, interval, True
    return 1 - area, (1 - interval[1], 1 - interval[0]), False


def best_first(found: Iterable[Shortcut]) -> tuple[Shortcut, ...]:
    """Order shortcuts by falling AUROC, and by name where it is the same."""
    return tuple(sorted(found, key=lambda shortcut: (-shortcut.auroc, shortcut.name)))


def enough(truth: Truth, units: NDArray[np.intp]) -> bool:
    """Tell whether both sides have enough independent scans for a figure."""
    return min(len(np.unique(units[truth])), len(np.unique(units[~truth]))) >= LEAST_UNITS


def _interval(sampled: Sampled, name: str, area: float) -> Interval:
    if np.isnan(area):
        return NOWHERE
    if area in (0.0, 1.0):  # every resample is as perfect: the numbers of cases alone tell how sure that is
        return auroc_interval(area, sampled.abnormal_groups, sampled.normal_groups)
    return sampled.interval(name)
