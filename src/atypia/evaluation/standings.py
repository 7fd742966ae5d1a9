"""Several scores of the same scans beside each other: how good each is, and which differences hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import BadOption
from atypia.evaluation.delong import delong
from atypia.evaluation.image_metrics import interval_of
from atypia.evaluation.intervals import Interval
from atypia.evaluation.resampling import RESAMPLES, Floats, GroupBootstrap, Sampled
from atypia.evaluation.weighted import Ranking, sensitivity_name

SENSITIVITY = sensitivity_name(0.05)
LEVEL = 0.05


@dataclass(frozen=True)
class Standing:
    """One contestant on the scans common to all, with 95 % intervals by bootstrap over groups.

    Those of figures of 0 and 1, which every resample repeats, are by the number of groups.
    `place` is 1 for the highest AUROC. `level` is True where a test was made and does not tell it from the
    first contestant.
    """

    name: str
    place: int
    auroc: float
    auroc_interval: Interval
    average_precision: float
    average_precision_interval: Interval
    sensitivity_at_5: float
    sensitivity_at_5_interval: Interval
    level: bool


@dataclass(frozen=True)
class Pairing:
    """The AUROC of `first` less that of `second`, on the same scans.

    `interval` (95 %) and `p_value` (two-sided) are by bootstrap over groups, the same groups drawn for both;
    `adjusted` is that p-value after Holm's correction for all pairs. `delong_p` takes scans as independent.
    """

    first: str
    second: str
    difference: float
    interval: Interval
    p_value: float
    adjusted: float
    delong_p: float


@dataclass(frozen=True)
class Standings:
    """Contestants by falling AUROC, and the pairs tested; `normal` and `abnormal` count the scans."""

    rows: tuple[Standing, ...]
    pairs: tuple[Pairing, ...]
    normal: int
    abnormal: int
    groups: int
    resamples: int

    def pairing(self, one: str, other: str) -> Pairing:
        """Return the pair of these two, whichever is named first; raise KeyError where there is none."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {one, other}:
                return pair
        raise KeyError(one, other)


def standings(
    scores: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: Sequence[str | None],
    *,
    trivial: Collection[str] = (),
    resamples: int | None = None,
    seed: int = 0,
) -> Standings:
    """Rank scores (N,) by name, higher being more abnormal, of scans with `labels` (N,), True is abnormal.

    Of the names that are `trivial` only the one with the highest AUROC is paired with the others.
    Without a number of `resamples` there are 2000, or more where there are so many pairs that the least
    p-value would not stay below 5 % when it is corrected for them.
    Raises BadOption unless there are at least two scans of each label and all scores are numbers.
    """
    abnormal = np.asarray(labels, dtype=bool)
    columns = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    _check(columns, abnormal)
    if resamples is None:
        tests = math.comb(len(columns) - max(len(set(trivial) & set(columns)) - 1, 0), 2)
        resamples = max(RESAMPLES, math.ceil(4 * tests / LEVEL))
    bootstrap = GroupBootstrap.of(groups, abnormal, resamples=resamples, seed=seed)
    rankings = {name: Ranking.of(values, abnormal) for name, values in columns.items()}
    sampled = {name: bootstrap.sample(ranking.figures) for name, ranking in rankings.items()}
    once = np.ones((1, len(abnormal)))
    figures = {
        name: {key: float(value[0]) for key, value in ranking.figures(once).items()}
        for name, ranking in rankings.items()
    }
    order = sorted(columns, key=lambda name: (-figures[name]["auroc"], name))
    best = [name for name in order if name in trivial][:1]
    tested = [name for name in order if name not in trivial or name in best]
    pairs = _pairs(tested, columns, abnormal, figures, sampled)
    level = {pair.second for pair in pairs if pair.first == order[0] and pair.adjusted >= LEVEL}
    counts = int((~abnormal).sum()), int(abnormal.sum())

    def interval(name: str, figure: str) -> Interval:
        return interval_of(figure, figures[name][figure], sampled[name], counts[1] / len(abnormal))

    rows = tuple(
        Standing(
            name=name,
            place=place,
            auroc=figures[name]["auroc"],
            auroc_interval=interval(name, "auroc"),
            average_precision=figures[name]["average_precision"],
            average_precision_interval=interval(name, "average_precision"),
            sensitivity_at_5=figures[name][SENSITIVITY],
            sensitivity_at_5_interval=interval(name, SENSITIVITY),
            level=place == 1 or name in level,
        )
        for place, name in enumerate(order, 1)
    )
    return Standings(rows, pairs, *counts, groups=bootstrap.groups, resamples=resamples)


def _check(columns: Mapping[str, Floats], abnormal: NDArray[np.bool_]) -> None:
    if min(int(abnormal.sum()), int((~abnormal).sum())) < 2:
        raise BadOption(
            f"A comparison: expected at least two normal and two abnormal scans judged by all, received "
            f"{int((~abnormal).sum())} and {int(abnormal.sum())}."
        )
    for name, values in columns.items():
        if values.shape != abnormal.shape or not np.isfinite(values).all():
            raise BadOption(f"{name}: expected a finite score for each of {abnormal.size} scans.")


def _pairs(
    order: Sequence[str],
    columns: Mapping[str, Floats],
    abnormal: NDArray[np.bool_],
    figures: Mapping[str, Mapping[str, float]],
    sampled: Mapping[str, Sampled],
) -> tuple[Pairing, ...]:
    found = []
    for place, first in enumerate(order):
        for second in order[place + 1 :]:
            # The same seed drew the same groups for all, so resamples pair up.
            drawn = sampled[first].values["auroc"] - sampled[second].values["auroc"]
            paired = Sampled({"d": drawn}, sampled[first].abnormal_groups, sampled[first].normal_groups)
            found.append(
                Pairing(
                    first=first,
                    second=second,
                    difference=figures[first]["auroc"] - figures[second]["auroc"],
                    interval=paired.interval("d"),
                    p_value=bootstrap_p(drawn),
                    adjusted=math.nan,
                    delong_p=delong(abnormal, columns[first], columns[second]).p_value,
                )
            )
    adjusted = holm([pair.p_value for pair in found])
    return tuple(
        Pairing(**{**vars(pair), "adjusted": value}) for pair, value in zip(found, adjusted, strict=True)
    )


def bootstrap_p(differences: Floats) -> float:
    """Return the two-sided p-value of no difference from resampled differences (R,), at least 2 / (R + 1).

    The share of resamples on the other side of 0, doubled: Davison and Hinkley (1997), section 4.4.
    """
    drawn = differences[np.isfinite(differences)]
    if not drawn.size:
        return math.nan
    below, above = (1 + int((drawn <= 0).sum())), (1 + int((drawn >= 0).sum()))
    return min(1.0, 2 * min(below, above) / (drawn.size + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number: Holm (1979), Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [math.nan] * len(p_values), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = highest
    return adjusted
