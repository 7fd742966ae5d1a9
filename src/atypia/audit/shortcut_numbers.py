"""How well each single number, and each column of the table, tells two sets of scans apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atypia.audit.shortcut import Shortcut, areas, best_first, better_way
from atypia.reading.row import STRATA, Row
from atypia.scalars import CATEGORIES, GROUPS, SCALARS, Measured

Floats = NDArray[np.float64]

TABLE: Final = "table"
"""The group of the shortcuts that the table itself gives."""

_CATEGORIES_MOST = 12
_LEAST_OF_A_KIND = 5


def of_numbers(
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
    return best_first(found)


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
