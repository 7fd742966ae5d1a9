"""Copies and patients that stand in two splits, and copies that carry two labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atypia.audit.clusters import cluster_members, members_by
from atypia.reading.row import LABELS, SPLITS, Row

LEARNED = ("train", "threshold", "validation")
FITTED = ("train", "threshold")
HELD_OUT = ("test", "tumor_test")
TEST_SHARE = 0.2

Sort = Literal["copies", "group"]


@dataclass(frozen=True)
class Crossing:
    """Scans that belong together and stand in several splits, by their `places`; `key` names them."""

    sort: Sort
    key: str
    places: tuple[int, ...]
    splits: tuple[str, ...]

    @property
    def into_held_out(self) -> bool:
        """Whether what is tested on was learned from, or calibrated or watched with."""
        return bool(set(self.splits) & set(LEARNED)) and bool(set(self.splits) & set(HELD_OUT))


@dataclass(frozen=True)
class Touched:
    """How many of a split's scans have a fellow in a split that comes before it.

    `fitted` counts those with a fellow in FITTED, which is graver than one in `validation`; `where` names the
    splits with a fellow. `normal` counts the split's scans labelled normal, `normal_touched` those of them
    with a fellow: only normal scans are learned from.
    """

    split: str
    scans: int
    by_copies: int
    by_group: int
    either: int
    fitted: int
    where: tuple[str, ...]
    normal: int
    normal_touched: int

    @property
    def share(self) -> float:
        """The share of the split's scans, in [0, 1]."""
        return self.either / self.scans

    @property
    def normal_share(self) -> float | None:
        """The share of the split's normal scans, in [0, 1]; None where there are none, or no others."""
        return self.normal_touched / self.normal if 0 < self.normal < self.scans else None


@dataclass(frozen=True)
class Leaks:
    """What crosses splits. `conflicts` are clusters of copies with both labels, by their places.

    `touched` has an entry for each split but the first. `mixed_groups` counts groups with both labels.
    `random` is the share of test scans that a random split by image would touch, a fifth held out; NaN where
    nothing is known of copies or groups.
    """

    crossings: tuple[Crossing, ...]
    touched: tuple[Touched, ...]
    conflicts: tuple[tuple[int, ...], ...]
    mixed_groups: int
    random: float

    @property
    def held_out(self) -> tuple[Touched, ...]:
        """The splits that figures are measured on, as far as there are any."""
        return tuple(touched for touched in self.touched if touched.split in HELD_OUT)


def find_leaks(
    rows: Sequence[Row],
    clusters: Sequence[int] | NDArray[np.integer],
    units: Sequence[int] | NDArray[np.intp],
) -> Leaks:
    """Look for leaks, given the cluster of copies and the independent unit of every row (N,)."""
    copies = {f"copies {cluster}": places for cluster, places in cluster_members(clusters).items()}
    groups = members_by(row.group for row in rows)
    found = [
        crossing
        for sort, sets in (("copies", copies), ("group", groups))
        for crossing in _crossings(sort, sets, rows)  # type: ignore[arg-type]
    ]
    return Leaks(
        crossings=tuple(sorted(found, key=lambda crossing: (not crossing.into_held_out, crossing.sort))),
        touched=tuple(_touched(split, rows, found) for split in SPLITS[1:] if _has(rows, split)),
        conflicts=tuple(places for places in copies.values() if _has_both_labels(rows, places)),
        mixed_groups=sum(_has_both_labels(rows, places) for places in groups.values()),
        random=random_touched(np.bincount(np.unique(units, return_inverse=True)[1]) if len(rows) else []),
    )


def random_touched(sizes: Sequence[int] | NDArray[np.intp]) -> float:
    """Return the expected share of test scans with a fellow in the rest, a fifth drawn by image for the test.

    A scan among k fellows is alone in the test with the chance that all others are drawn for it too. `sizes`
    are those of the sets of fellows; NaN where there are none.

    >>> round(random_touched([1, 1]), 2), round(random_touched([2]), 2)
    (0.0, 0.8)
    """
    counts = np.asarray(sizes, np.float64)
    if not counts.sum():
        return float("nan")
    return float((counts * (1 - TEST_SHARE ** (counts - 1))).sum() / counts.sum())


def _crossings(sort: Sort, sets: Mapping[str, tuple[int, ...]], rows: Sequence[Row]) -> list[Crossing]:
    found = []
    for key, places in sets.items():
        assigned = {rows[place].split for place in places} - {None}
        if len(assigned) > 1:
            inside = tuple(place for place in places if rows[place].split is not None)
            found.append(Crossing(sort, key, inside, tuple(split for split in SPLITS if split in assigned)))
    return found


def _touched(split: str, rows: Sequence[Row], crossings: Sequence[Crossing]) -> Touched:
    earlier = {name for name in LEARNED if SPLITS.index(name) < SPLITS.index(split)}
    by: dict[str, set[int]] = {"copies": set(), "group": set()}
    beside: dict[str, set[int]] = {name: set() for name in LEARNED if name in earlier}
    for crossing in crossings:
        touched = {place for place in crossing.places if rows[place].split == split}
        for name in earlier & set(crossing.splits):
            by[crossing.sort] |= touched
            beside[name] |= touched
    either = by["copies"] | by["group"]
    return Touched(
        split=split,
        scans=sum(row.split == split for row in rows),
        by_copies=len(by["copies"]),
        by_group=len(by["group"]),
        either=len(either),
        fitted=len(set().union(*(beside.get(name, set()) for name in FITTED))),
        where=tuple(name for name, touched in beside.items() if touched),
        normal=sum(row.split == split and row.label == "normal" for row in rows),
        normal_touched=sum(rows[place].label == "normal" for place in either),
    )


def _has(rows: Sequence[Row], split: str) -> bool:
    return any(row.split == split for row in rows)


def _has_both_labels(rows: Sequence[Row], places: tuple[int, ...]) -> bool:
    return set(LABELS) <= {rows[place].label for place in places}
