"""Splitting a collection into train, threshold, validation and test, so that no group is on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atypia.errors import BadOption, NotEnoughScans

if TYPE_CHECKING:
    from atypia.reading.collection import Collection
    from atypia.reading.row import Row

SIZES = ("train", "threshold", "validation", "test", "validation_abnormal", "test_abnormal")

_HEALTHY = ("train", "threshold", "validation", "test")
_MIXED = ("validation", "test")


def split_collection(
    collection: Collection, *, sizes: Mapping[str, float], seed: int = 0, by_group: bool = True
) -> Collection:
    """Assign every scan of a labelled collection to a split, the same for the same scans in any order.

    `sizes` says how many normal scans `train`, `threshold`, `validation` and `test` get, as counts or, below
    1, as fractions of all normal scans; what no size claims goes to `train`. Of the abnormal scans
    `validation` and `test` get as many as of the normal ones, or what `validation_abnormal` and
    `test_abnormal` say; the others go to `tumor_test`. Nothing abnormal, and no group that holds any, is ever
    in `train` or `threshold`. With groups the sizes are met as nearly as whole groups allow; a scan without a
    group is its own.
    Raises BadOption where a size makes no sense or cannot be met.
    """
    _check_labels(collection)
    units = _units(collection, seed, by_group=by_group)
    goals = _normal_goals(sizes, units)
    splits = _share_normal(units, goals)
    _check_filled(goals, splits)
    found = Counter((splits.get(row.name), row.label) for row in collection)
    goals = _abnormal_goals(sizes, units, found)
    missing = {name: goals[name] - found[name, "abnormal"] for name in _MIXED}
    splits |= _share_abnormal([unit for unit in units if not unit.normal], goals, missing)
    return _assigned(collection, splits)


def calibration_split(
    collection: Collection, fraction: float = 0.2, seed: int = 0
) -> tuple[Collection, Collection]:
    """Part healthy scans into those to learn from and those that calibrate the threshold, by group.

    Raises BadOption for a fraction outside (0, 1) or an abnormal scan, NotEnoughScans below two groups.
    """
    if not 0 < fraction < 1:
        raise BadOption(f"fraction: expected a number between 0 and 1, received {fraction!r}.")
    for row in collection:
        if row.label == "abnormal":
            raise BadOption(
                f"{row.path}: expected only healthy scans to learn from, received an abnormal one. "
                "Leave it out of the folder or table."
            )
    units = _units(collection, seed, by_group=True)
    if len(units) < 2:
        raise NotEnoughScans(
            f"{collection.source}: expected healthy scans of at least two groups, one to learn from and one "
            f"for the threshold, received {len(collection)} scans in {len(units)} group(s)."
        )
    held_out = min(max(1, round(fraction * len(collection))), len(collection) - 1)
    goals = {"threshold": held_out, "train": len(collection) - held_out}
    splits = _share_normal(units, goals)
    _check_filled(goals, splits)
    whole = _assigned(collection, splits)
    return whole.select(split="train"), whole.select(split="threshold")


@dataclass(frozen=True)
class _Unit:
    """Scans that stay together: their names, and how many are normal and abnormal."""

    names: tuple[str, ...]
    normal: int
    abnormal: int


class _Shelves:
    """Splits with room left, to which whole units are given."""

    def __init__(self, goals: Mapping[str, int], room: Mapping[str, int]) -> None:
        self._goals = goals
        self._room = dict(room)

    def fitting(self, size: int, allowed: Iterable[str]) -> str | None:
        """Return the emptiest allowed split, in proportion, with room for `size` scans."""
        names = [name for name in allowed if self._room[name] >= size]
        return max(
            names, key=lambda name: (self._room[name] / self._goals[name], self._goals[name]), default=None
        )

    def roomiest(self, allowed: Iterable[str]) -> str | None:
        """Return the allowed split with the most room left, if any has."""
        names = [name for name in allowed if self._room[name] > 0]
        return max(names, key=self._room.__getitem__, default=None)

    def take(self, split: str, size: int) -> None:
        """Give up the room for `size` scans."""
        self._room[split] -= size


def _share_normal(units: Sequence[_Unit], goals: Mapping[str, int]) -> dict[str, str]:
    """Assign the units that hold normal scans; those with abnormal ones first, having less choice."""
    shelves = _Shelves(goals, goals)
    mixed = [unit for unit in units if unit.normal and unit.abnormal]
    free = [unit for unit in units if not unit.abnormal]
    chosen = [_place(shelves, unit, _MIXED, "test") for unit in mixed]
    filled = set(chosen)
    chosen += _without_gaps(
        [_place(shelves, unit, tuple(goals), "train") for unit in free],
        [name for name, goal in goals.items() if goal > 0 and name not in filled],
    )
    return _named(mixed + free, chosen)


def _place(shelves: _Shelves, unit: _Unit, allowed: Sequence[str], rest: str) -> str:
    split = shelves.fitting(unit.normal, allowed) or shelves.roomiest(allowed) or rest
    shelves.take(split, unit.normal)
    return split


def _share_abnormal(
    units: Sequence[_Unit], goals: Mapping[str, int], missing: Mapping[str, int]
) -> dict[str, str]:
    """Assign the units without normal scans: what does not fit elsewhere goes to `tumor_test`."""
    shelves, chosen = _Shelves(goals, missing), list[str]()
    for unit in units:
        split = shelves.fitting(unit.abnormal, _MIXED)
        if split:
            shelves.take(split, unit.abnormal)
        chosen.append(split or "tumor_test")
    bare = [name for name in ("test", "validation") if 0 < goals[name] == missing[name]]
    return _named(units, _without_gaps(chosen, bare))


def _without_gaps(chosen: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """Give each wanted split that has no unit the last, smallest one of a split that can spare it."""
    shared = list(chosen)
    for name in wanted:
        counts = Counter(shared)
        spare = [n for n, split in enumerate(shared) if counts[split] > 1 or split == "tumor_test"]
        if not counts[name] and spare:
            shared[spare[-1]] = name
    return shared


def _named(units: Iterable[_Unit], chosen: Iterable[str]) -> dict[str, str]:
    pairs = zip(units, chosen, strict=True)
    return {name: split for unit, split in pairs for name in unit.names}


def _units(rows: Iterable[Row], seed: int, *, by_group: bool) -> list[_Unit]:
    """Gather the rows by group, the largest first and otherwise shuffled, whatever the order of the rows."""
    members: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        key = (True, row.group) if by_group and row.group is not None else (False, row.name)
        members.setdefault(key, []).append(row)
    gathered = [members[key] for key in sorted(members)]
    shuffled = [gathered[place] for place in np.random.default_rng(seed).permutation(len(gathered))]
    units = []
    for group in sorted(shuffled, key=len, reverse=True):
        abnormal = sum(row.label == "abnormal" for row in group)
        units.append(_Unit(tuple(row.name for row in group), len(group) - abnormal, abnormal))
    return units


def _assigned(collection: Collection, splits: Mapping[str, str]) -> Collection:
    return replace(collection, rows=tuple(replace(row, split=splits[row.name]) for row in collection))


def _check_labels(collection: Collection) -> None:
    bare = [row.name for row in collection if row.label is None]
    if bare or not collection.rows:
        raise BadOption(
            f"{collection.source}: expected a label for every scan, received {len(bare)} of "
            f"{len(collection)} without{f', such as {bare[0]}' if bare else ''}. Sort the scans into folders "
            "such as healthy and tumor, or name a table with a column 'label'."
        )


def _normal_goals(sizes: Mapping[str, float], units: Iterable[_Unit]) -> dict[str, int]:
    for name, size in sizes.items():
        if name not in SIZES or not _is_size(size):
            raise BadOption(
                f"sizes: expected counts, or fractions below 1, of {', '.join(SIZES)}; "
                f"received {name}={size!r}."
            )
    normal = sum(unit.normal for unit in units)
    goals = {name: _count(sizes.get(name, 0), normal) for name in _HEALTHY}
    asked = sum(goals.values())
    if asked > normal:
        wanted = ", ".join(f"{name}={size}" for name, size in goals.items())
        raise BadOption(f"sizes: expected at most {normal} normal scans, received {asked} ({wanted}).")
    free, learned = (
        sum(unit.normal for unit in units if not unit.abnormal),
        goals["train"] + goals["threshold"],
    )
    if learned > free:
        raise BadOption(
            f"sizes: expected at most {free} normal scans in train and threshold, for only so many are in a "
            f"group without an abnormal scan, received {learned}. "
            "Leave the abnormal scans of more groups out, or split without groups."
        )
    goals["train"] += normal - asked
    return goals


def _is_size(size: float) -> bool:
    whole = isinstance(size, int | float) and not isinstance(size, bool) and np.isfinite(size)
    return bool(whole and (0 < size < 1 or (size >= 0 and size == int(size))))


def _count(size: float, total: int) -> int:
    return int(size * total + 1e-9) if 0 < size < 1 else int(size)


def _abnormal_goals(
    sizes: Mapping[str, float], units: Iterable[_Unit], found: Mapping[tuple[str | None, str | None], int]
) -> dict[str, int]:
    abnormal = sum(unit.abnormal for unit in units)
    asked = {name: sizes[f"{name}_abnormal"] for name in _MIXED if f"{name}_abnormal" in sizes}
    goals = {name: _count(size, abnormal) for name, size in asked.items()}
    if sum(goals.values()) > abnormal:
        raise BadOption(
            f"sizes: expected at most {abnormal} abnormal scans, received {sum(goals.values())} in all."
        )
    return {name: goals.get(name, found[name, "normal"]) for name in _MIXED}


def _check_filled(goals: Mapping[str, int], splits: Mapping[str, str]) -> None:
    found = Counter(splits.values())
    empty = [name for name, goal in goals.items() if goal > 0 and not found[name]]
    if empty:
        raise BadOption(
            f"sizes: expected scans for {', '.join(empty)}, received none: there are too few groups to share "
            "out. Ask for fewer splits, or split without groups."
        )
