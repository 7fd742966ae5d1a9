"""How well the classes, and the splits, separate without a look at the brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atypia.audit.exact import ExactValue, find_exact
from atypia.audit.shortcut import LEAST_UNITS, Shortcut, enough
from atypia.audit.shortcut_models import of_models
from atypia.audit.shortcut_numbers import TABLE, of_numbers
from atypia.reading.row import Row
from atypia.scalars import Measured

BLIND: Final = frozenset({"file", "frame", "outside", TABLE})
"""Where a shortcut looks that sees no brain: of the sets of numbers, and of the models."""


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
        scalars=of_numbers(part, [rows[place] for place in places], truth, units, seed),
        models=of_models(part, truth, units, empty.title, seed),
        exact=find_exact(part, truth),
    )
