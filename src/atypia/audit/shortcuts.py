"""How well the classes, and the splits, separate without a look at the brain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atypia.audit.exact import ExactValue, find_exact
from atypia.audit.shortcut import LEAST_UNITS, Shortcut, areas, better_way, enough
from atypia.audit.trees import MOST, drawn_units, out_of_fold
from atypia.progress import progress
from atypia.reading.row import STRATA, Row
from atypia.scalars import CATEGORIES, GROUPS, SCALARS, Measured

Floats = NDArray[np.float64]

TABLE: Final = "table"
MODELS: Final[dict[str, str]] = {
    "file": "small trees on all that is known of the file: size, quality, format, colour mode",
    "outside": "small trees on an 8x8 picture of what lies around the head, and its numbers",
    "intensity": "small trees on the statistics of the greys alone",
    "together": "small trees on all the numbers together",
}
BLIND: Final = frozenset({"file", "frame", "outside", TABLE})
"""Where a shortcut looks that sees no brain: of the sets of numbers, and of the models."""

_CATEGORIES_MOST = 12
_LEAST_OF_A_KIND = 5


@dataclass(frozen=True)
class Comparison:
    """Two sets of scans, `first` and `second` by name, and what tells them apart, the best first.

    `scalars` are single numbers, `models` small trees on many of them, `exact` values that one side has.
    `refused` says why nothing could be measured, else it is None.
    """

    title: str
    first: str
    second: str
    scalars: tuple[Shortcut, ...] = ()
    models: tuple[Shortcut, ...] = ()
    exact: tuple[ExactValue, ...] = ()
    refused: str | None = None

    def best(self, *, blind: bool) -> Shortcut | None:
        """Return the shortcut whose AUROC is surely highest: of those that see no brain, or of the greys."""
        groups = BLIND if blind else {"intensity"}
        chosen = [found for found in (*self.scalars, *self.models) if found.group in groups]
        return max(chosen, key=lambda found: (found.sure, found.auroc), default=None)


def compare_classes(
    rows: Sequence[Row], measured: Measured, units: NDArray[np.intp], *, seed: int = 0
) -> Comparison:
    """Compare the scans labelled normal with those labelled abnormal."""
    empty = Comparison("Classes", "normal", "abnormal")
    return _compare(empty, sides_of(empty, rows), rows, measured, units, seed)


def compare_splits(
    rows: Sequence[Row], measured: Measured, units: NDArray[np.intp], *, seed: int = 0
) -> Comparison:
    """Compare the normal scans of `train` with those of `test`: they should be alike."""
    empty = Comparison("Splits", "train", "test")
    return _compare(empty, sides_of(empty, rows), rows, measured, units, seed)


def sides_of(comparison: Comparison, rows: Sequence[Row]) -> list[bool | None]:
    """Return for each row whether it is of the second set, of the first, or of neither (None)."""
    if comparison.title == "Classes":
        return [None if row.label is None else row.label == "abnormal" for row in rows]
    known = {comparison.first: False, comparison.second: True}
    return [known.get(row.split or "") if row.label != "abnormal" else None for row in rows]


def _compare(
    empty: Comparison,
    sides: Sequence[bool | None],
    rows: Sequence[Row],
    measured: Measured,
    units: NDArray[np.intp],
    seed: int,
) -> Comparison:
    """Compare two sides; scans that are of neither (None), or could not be read, are left out."""
    places = np.array(
        [n for n, side in enumerate(sides) if side is not None and n not in measured.errors], int
    )
    truth = np.array([sides[place] for place in places], bool)
    units = units[places]
    if not enough(truth, units):
        counts = [len(np.unique(units[truth == side])) for side in (False, True)]
        return replace(
            empty,
            refused=f"It takes at least {LEAST_UNITS} independent scans of each side; there are "
            f"{counts[0]} of {empty.first} and {counts[1]} of {empty.second}.",
        )
    part = Measured(
        measured.names,
        measured.values[places],
        outside=None if measured.outside is None else measured.outside[places],
    )
    return replace(
        empty,
        scalars=_of_scalars(part, [rows[place] for place in places], truth, units, seed),
        models=_of_models(part, truth, units, empty.title, seed),
        exact=find_exact(part, truth),
    )


def _of_scalars(
    measured: Measured, rows: Sequence[Row], truth: NDArray[np.bool_], units: NDArray[np.intp], seed: int
) -> tuple[Shortcut, ...]:
    """Measure every scalar that is not the same for all scans, and the strata that the table gives."""
    columns = {name: measured.column(name) for name in measured.names}
    columns |= {name: _stratum(rows, name) for name in STRATA}
    unordered = CATEGORIES | set(STRATA)
    scores = {
        name: _by_share(values, truth) if name in unordered else values for name, values in columns.items()
    }
    scores = {name: values for name, values in scores.items() if _varies(values, truth)}
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    found = []
    for name, (area, interval) in areas(scores, truth, units, seed=seed).items():
        area, interval, higher = better_way(area, interval)
        known = np.isfinite(scores[name])
        found.append(
            Shortcut(
                name=name,
                group=group_of.get(name, TABLE),
                meaning=SCALARS.get(name, f"the column {name} of the table"),
                auroc=area,
                interval=interval,
                higher=None if name in unordered else higher,
                first=int((known & ~truth).sum()),
                second=int((known & truth).sum()),
            )
        )
    return _best_first(found)


def _of_models(
    measured: Measured, truth: NDArray[np.bool_], units: NDArray[np.intp], title: str, seed: int
) -> tuple[Shortcut, ...]:
    chosen = drawn_units(units, MOST, seed=seed)
    truth, units = truth[chosen], units[chosen]
    if not enough(truth, units):
        return ()
    features = {name: values[chosen] for name, values in _features(measured).items()}
    bar = progress(
        features.items(), total=len(features), label=f"telling {title.lower()} apart", unit="model"
    )
    scores = {name: out_of_fold(values, truth, units, seed=seed) for name, values in bar}
    found = areas(scores, truth, units, seed=seed)
    counts = int((~truth).sum()), int(truth.sum())
    return _best_first(
        [
            Shortcut(name, name, MODELS[name], area, interval, None, *counts)
            for name, (area, interval) in found.items()
        ]
    )


def _features(measured: Measured) -> Mapping[str, Floats]:
    def columns(*groups: str) -> Floats:
        return np.stack([measured.column(name) for group in groups for name in GROUPS[group]], axis=1)

    features = {"file": columns("file"), "intensity": columns("intensity"), "together": columns(*GROUPS)}
    if measured.outside is not None:
        features["outside"] = np.concatenate([_pooled(measured.outside), columns("frame")], axis=1)
    return features


def _pooled(outside: NDArray[np.uint8]) -> Floats:
    """Return thumbnails with the head painted over (N, 32, 32) as (N, 64) means around it; -1 in the head."""
    blocks = outside.reshape(len(outside), 8, 4, 8, 4)
    around = blocks < 255
    counts = around.sum(axis=(2, 4))
    sums = (blocks * around).sum(axis=(2, 4), dtype=np.float64)
    values = np.divide(sums, counts, out=np.full(sums.shape, -1.0), where=counts > 0)
    return np.asarray(values.reshape(len(values), -1))


def _stratum(rows: Sequence[Row], name: str) -> Floats:
    """Return a number for each value of a column, 0 for the commonest; rare ones share one, gaps are NaN."""
    values = [getattr(row, name) for row in rows]
    counted = Counter(value for value in values if value).most_common()
    codes = {value: min(code, _CATEGORIES_MOST) for code, (value, _) in enumerate(counted)}
    return np.array([codes[value] if value else np.nan for value in values], float)


def _by_share(codes: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Replace each kind by its share of `truth`: of all orders that kinds can have, the most telling one.

    Kinds of few scans count as one, lest chance does the telling.
    """
    kinds, places, counts = np.unique(codes, return_inverse=True, return_counts=True, equal_nan=True)
    rare = counts < _LEAST_OF_A_KIND
    places = np.where(rare[places], len(kinds), places)
    shares = np.bincount(places, truth) / np.maximum(np.bincount(places), 1)
    return np.where(np.isfinite(codes), shares[places], np.nan)


def _varies(values: Floats, truth: NDArray[np.bool_]) -> bool:
    known = np.isfinite(values)
    sides = truth[known]
    return bool(known.any() and np.ptp(values[known]) > 0 and sides.any() and not sides.all())


def _best_first(found: Sequence[Shortcut]) -> tuple[Shortcut, ...]:
    return tuple(sorted(found, key=lambda shortcut: (-shortcut.auroc, shortcut.name)))
