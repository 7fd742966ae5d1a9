"""A table of what is left when copies, conflicts and strangers are out, with splits that no group crosses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from atypia.audit.audit import Audit
from atypia.audit.clusters import members_by
from atypia.datasets.split import split_collection
from atypia.errors import BadOption
from atypia.reading.collection import Collection
from atypia.reading.row import Row

SIZES = {"train": 0.7, "threshold": 0.15, "test": 0.15}
LEAST_IN_STRATUM = 10
"""Normal groups that a plane, or another stratum, needs to be split on its own."""


@dataclass(frozen=True)
class Cleaned:
    """The rows that are kept, and how many were left out and why; `note` says why there are no splits."""

    collection: Collection
    copies: int
    conflicts: int
    strangers: int
    unreadable: int
    note: str | None = None


def clean(audit: Audit, *, drop_strangers: bool = False, seed: int = 0) -> Cleaned:
    """Keep one image of each cluster of copies and assign splits by group, alike in every plane where known.

    Of copies the one of most pixels is kept, and of those the one that was least compressed. Clusters with
    both labels, files that could not be read and, on request, strangers are left out, but for those
    that are only unusual for a healthy scan. A row's group is the one that the table names, else the cluster;
    groups that a copy joins become one.
    """
    # Below 1 a stranger is only the most unusual of its like: for the eye, not to be dropped.
    found = [stranger.index for stranger in audit.strangers or () if stranger.score > 1]
    strange = set(found) if drop_strangers else set()
    conflicting = {place for places in audit.leaks.conflicts for place in places}
    kept, dropped = [], Counter[str]()
    for places in audit.members.values():
        sound = [place for place in places if place not in strange]
        dropped["strangers"] += len(places) - len(sound)
        if conflicting & set(places):
            dropped["conflicts"] += len(sound)
        elif sound:
            kept.append(_best(sound, audit))
            dropped["copies"] += len(sound) - 1
    rows = _grouped(sorted(kept), audit)
    collection, note = _split(Collection(tuple(rows), audit.source), seed)
    return Cleaned(
        collection, dropped["copies"], dropped["conflicts"], dropped["strangers"], len(audit.errors), note
    )


def _best(places: Sequence[int], audit: Audit) -> int:
    """Return the place of the largest image, then of the one with most bytes a pixel, then of the first."""
    if len(places) == 1:
        return places[0]
    if audit.measured is None:
        return max(places, key=lambda place: (audit.rows[place].path.stat().st_size, -place))
    sizes, bytes_each = audit.measured.column("pixel_count"), audit.measured.column("bytes_per_pixel")
    return max(places, key=lambda place: (sizes[place], bytes_each[place], -place))


def _grouped(places: Sequence[int], audit: Audit) -> list[Row]:
    """Return the rows with a group each: the first name that stands in the unit, else the unit's number."""
    named = members_by(int(unit) for unit in audit.units)
    names = {
        unit: min(
            (audit.rows[place].group or "" for place in fellows if audit.rows[place].group), default=None
        )
        for unit, fellows in named.items()
    }
    rows = []
    for place in places:
        unit = int(audit.units[place])
        rows.append(replace(audit.rows[place], group=names[unit] or f"cluster-{unit}", split=None))
    return rows


def _split(collection: Collection, seed: int) -> tuple[Collection, str | None]:
    """Assign splits, stratum by stratum; without them where labels or groups do not allow it, and why."""
    try:
        parts = [split_collection(part, sizes=SIZES, seed=seed) for part in _strata(collection)]
    except BadOption as error:
        return collection, f"No splits were assigned: {error}"
    split_of = {row.name: row.split for part in parts for row in part}
    rows = tuple(replace(row, split=split_of[row.name]) for row in collection)
    return replace(collection, rows=rows), None


def _strata(collection: Collection) -> list[Collection]:
    """Part by plane, or by a kind that both labels have; strata of few normal groups stay together."""
    stratum_of = _stratum_of_groups(collection)
    healthy = {row.group for row in collection if row.label == "normal"}
    sizes = Counter(stratum for group, stratum in stratum_of.items() if group in healthy)
    small = {stratum for stratum in set(stratum_of.values()) if sizes[stratum] < LEAST_IN_STRATUM}
    parts: dict[str, list[Row]] = {}
    for row in collection:
        stratum = stratum_of[row.group or ""]
        parts.setdefault("" if stratum in small else stratum, []).append(row)
    left_over = parts.pop("", [])
    if left_over and parts and not _can_stand_alone(left_over):
        parts[max(parts, key=lambda name: len(parts[name]))] += left_over
        left_over = []
    every = [*parts.values(), *([left_over] if left_over or not parts else [])]
    return [replace(collection, rows=tuple(rows)) for rows in every]


def _can_stand_alone(rows: Sequence[Row]) -> bool:
    return len({row.group for row in rows if row.label == "normal"}) >= LEAST_IN_STRATUM


def _stratum_of_groups(collection: Collection) -> dict[str, str]:
    """Return the commonest stratum of each group: its plane, or a kind that both labels have."""
    by_label = [{row.kind for row in collection if row.label == label} for label in ("normal", "abnormal")]
    shared = by_label[0] & by_label[1] - {None}
    kinds: dict[str, Counter[str]] = {}
    for row in collection:
        stratum = row.plane or (row.kind if row.kind in shared else None) or "unknown"
        kinds.setdefault(row.group or "", Counter())[stratum] += 1
    return {group: found.most_common(1)[0][0] for group, found in kinds.items()}
