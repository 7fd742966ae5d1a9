"""The audit of a set of scans: copies, leaks, shortcuts, strangers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Collection as Some
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from atypia.audit.clusters import cluster_members, units_of
from atypia.audit.leaks import Leaks, find_leaks
from atypia.audit.shortcuts import Comparison, compare_classes, compare_splits
from atypia.audit.strangers import Stranger, find_strangers
from atypia.copies import CopyPair, find_copies
from atypia.errors import BadOption
from atypia.reading.collection import Collection
from atypia.reading.row import Row
from atypia.scalars import Measured, measure_rows

SKIPPABLE: Final = ("copies", "shortcuts", "strangers")
FEW: Final = 20
"""Scans below which little can be said of a set."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a collection, called `source`; places are those of its `rows`.

    `clusters` (N,) numbers the clusters of copies, -1 where an image could not be read; without a search for
    copies (`clusters_known` is false) every image is its own. `units` (N,) numbers what is independent:
    groups and clusters joined. `pairs` are the copies as they were verified.
    `measured` has the scalars; `comparisons` what tells classes and splits apart; None and empty
    where skipped.
    `strangers` are ranked, None where skipped. `notes` say what could not be done, and why.
    `errors` has, by place, why a file could not be read. `seconds` is the time of each step.
    """

    source: str
    rows: tuple[Row, ...]
    clusters: NDArray[np.int64]
    clusters_known: bool
    units: NDArray[np.intp]
    pairs: tuple[CopyPair, ...]
    leaks: Leaks
    measured: Measured | None
    comparisons: tuple[Comparison, ...]
    strangers: tuple[Stranger, ...] | None
    errors: dict[int, str]
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def readable(self) -> int:
        """How many files could be read."""
        return len(self.rows) - len(self.errors)

    @cached_property
    def members(self) -> dict[int, tuple[int, ...]]:
        """The places of each cluster, single images too, the largest first."""
        return cluster_members(self.clusters)

    @property
    def distinct(self) -> int:
        """How many clusters there are: distinct images."""
        return len(self.members)

    @property
    def biggest(self) -> tuple[tuple[int, ...], ...]:
        """The clusters of more than one image, the largest first."""
        return tuple(places for places in self.members.values() if len(places) > 1)

    @property
    def knows_fellows(self) -> bool:
        """Whether it is known which scans belong together: by copies, by groups, or by both."""
        return self.clusters_known or any(row.group for row in self.rows)


class _Clock:
    """Runs steps and keeps how long each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, step: Callable[[], Answer]) -> Answer:
        started = time.perf_counter()
        answer = step()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        return answer


def audit_collection(
    collection: Collection, *, skip: Some[str] = (), workers: int = 2, seed: int = 0
) -> Audit:
    """Audit the scans of a folder or table: read every file, and say what is wrong with the set.

    `skip` leaves out "copies", "shortcuts" or "strangers". A file that cannot be read is listed, and in no
    figure. Raises BadOption for another word in `skip`.
    """
    for word in skip:
        if word not in SKIPPABLE:
            raise BadOption(f"skip: expected some of {', '.join(SKIPPABLE)}, received {word!r}.")
    rows, clock = tuple(collection.rows), _Clock()
    errors: dict[int, str] = {}
    clusters, pairs = np.arange(len(rows)), tuple[CopyPair, ...]()
    if "copies" not in skip:
        copies = clock("copies", lambda: find_copies(rows, workers=workers))
        clusters, pairs = np.asarray(copies.clusters), tuple(copies.pairs)
        errors |= dict(copies.unreadable)
    units = units_of(rows, clusters)
    measured, comparisons = None, tuple[Comparison, ...]()
    if "shortcuts" not in skip:
        measured = clock("scalars", lambda: measure_rows(rows, workers=workers, outside=True))
        errors |= measured.errors
        comparisons = clock("shortcuts", lambda: _compared(rows, measured, units, seed))
    strangers = None
    if "strangers" not in skip:
        strangers = clock("strangers", lambda: tuple(find_strangers(rows, clusters, workers=workers)))
    clusters = np.where(np.isin(np.arange(len(rows)), list(errors)), -1, clusters)
    return Audit(
        source=collection.title,
        rows=rows,
        clusters=clusters,
        clusters_known="copies" not in skip,
        units=units,
        pairs=pairs,
        leaks=clock("leaks", lambda: find_leaks(rows, clusters, units)),
        measured=measured,
        comparisons=comparisons,
        strangers=strangers,
        errors=dict(sorted(errors.items())),
        notes=_notes(collection, skip, len(rows) - len(errors)),
        seconds=clock.seconds,
    )


def _compared(
    rows: Sequence[Row], measured: Measured, units: NDArray[np.intp], seed: int
) -> tuple[Comparison, ...]:
    found = [compare_classes(rows, measured, units, seed=seed)]
    if {"train", "test"} <= {row.split for row in rows}:
        found.append(compare_splits(rows, measured, units, seed=seed))
    return tuple(found)


def _notes(collection: Collection, skip: Some[str], readable: int) -> tuple[str, ...]:
    notes = [f"Not looked at, as asked: {word}." for word in SKIPPABLE if word in skip]
    if not collection.has_groups:
        notes.append(
            "The set names no groups: slices of one patient that are no copies cannot be known as such. "
            "Give a table with the column group."
        )
    if not collection.has_labels:
        notes.append("The set has no labels: classes could not be compared.")
    if not collection.has_splits:
        notes.append("The set has no splits: nothing can leak yet.")
    if readable < FEW:
        notes.append(f"Only {readable} of {len(collection)} images could be used: too few to say much.")
    return tuple(notes)
