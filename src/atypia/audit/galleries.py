"""Which scans the page shows side by side: clusters, leaking pairs, conflicts and strangers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from atypia.audit.audit import Audit
from atypia.audit.clusters import members_by
from atypia.audit.leaks import HELD_OUT, LEARNED, Crossing
from atypia.audit.thumbnails import thumbnail_address
from atypia.progress import progress

CLUSTERS, IN_CLUSTER, PAIRS, CONFLICTS, STRANGERS = 8, 8, 12, 6, 16
"""How many of each the page shows at most; of strangers, of each kind."""


@dataclass(frozen=True)
class Frame:
    """One scan in a gallery: its place, what stands below it, and its picture as an address."""

    place: int
    name: str
    words: str = ""
    picture: str | None = None


@dataclass(frozen=True)
class Strip:
    """Scans side by side under a title; `more` of them are not shown."""

    title: str
    frames: tuple[Frame, ...]
    more: int = 0


@dataclass(frozen=True)
class Galleries:
    """All pictures of the page; each is empty where there is nothing to show."""

    clusters: tuple[Strip, ...]
    pairs: tuple[Strip, ...]
    conflicts: tuple[Strip, ...]
    strangers: tuple[Strip, ...]


def hang(audit: Audit) -> Galleries:
    """Choose the scans and make their pictures; those that cannot be read any more have none."""
    clusters = [_cluster(places, audit) for places in audit.biggest[:CLUSTERS]]
    pairs = [_pair(crossing, audit) for crossing in _telling(audit)]
    conflicts = [_conflict(places, audit) for places in audit.leaks.conflicts[:CONFLICTS]]
    strangers = _by_kind(audit)
    shorter = below_common(audit)
    every = {frame.place for strip in (*clusters, *pairs, *conflicts, *strangers) for frame in strip.frames}
    bar = progress(sorted(every), total=len(every), label="drawing", unit="picture")
    pictures = {place: thumbnail_address(audit.rows[place]) for place in bar}

    def filled(frames: Iterable[Frame]) -> tuple[Frame, ...]:
        return tuple(
            replace(frame, picture=pictures[frame.place], name=shorter(frame.name)) for frame in frames
        )

    def all_filled(strips: Sequence[Strip]) -> tuple[Strip, ...]:
        return tuple(replace(strip, frames=filled(strip.frames)) for strip in strips)

    return Galleries(all_filled(clusters), all_filled(pairs), all_filled(conflicts), all_filled(strangers))


def below_common(audit: Audit) -> Callable[[str], str]:
    """Return what shortens a scan's name by the folders that all names begin with."""
    folders = {row.name.rpartition("/")[0] for row in audit.rows}
    absolute = {folder.startswith("/") for folder in folders}
    common = os.path.commonpath(folders) if len(absolute) == 1 else ""
    return lambda name: name.removeprefix(f"{common}/")


def _by_kind(audit: Audit) -> list[Strip]:
    """Show the strangest of each kind, the kind of the strangest first."""
    found = audit.strangers or ()
    strips = []
    for kind, places in members_by(stranger.kind for stranger in found).items():
        frames = tuple(
            Frame(found[place].index, audit.rows[found[place].index].name, found[place].reason)
            for place in _one_of_each(places, [audit.clusters[one.index] for one in found])[:STRANGERS]
        )
        strips.append(Strip(f"{kind[:1].upper()}{kind[1:]}", frames, len(places) - len(frames)))
    return strips


def _one_of_each(places: Sequence[int], clusters: Sequence[int]) -> list[int]:
    """Return the places whose cluster did not come before; an image without a cluster (-1) is its own."""
    first: dict[int, int] = {}
    return [p for p in places if clusters[p] < 0 or first.setdefault(int(clusters[p]), p) == p]


def _cluster(places: tuple[int, ...], audit: Audit) -> Strip:
    shown = places[:IN_CLUSTER]
    frames = tuple(_frame(place, audit) for place in shown)
    return Strip(f"{len(places)} copies of one image", frames, len(places) - len(shown))


def _telling(audit: Audit) -> tuple[Crossing, ...]:
    """Return the crossings to show: into held-out splits first, each a set of its own."""
    return audit.leaks.crossings[:PAIRS]


def _pair(crossing: Crossing, audit: Audit) -> Strip:
    """Show one scan of the first split, and one of the last, of those that belong together."""
    rows = audit.rows
    learned = [place for place in crossing.places if rows[place].split in LEARNED]
    held_out = [place for place in crossing.places if rows[place].split in HELD_OUT]
    if not (learned and held_out):
        learned = [p for p in crossing.places if rows[p].split == crossing.splits[0]]
        held_out = [p for p in crossing.places if rows[p].split == crossing.splits[-1]]
    known = {(pair.first, pair.second): pair for pair in audit.pairs}
    found = [pair for a in learned for b in held_out if (pair := known.get((min(a, b), max(a, b))))]
    first, second = (learned[0], held_out[0])
    title = f"Group in {' and '.join(crossing.splits)}"
    if crossing.sort == "copies":
        title = "Copy of a copy"
        if found:
            ends = (found[0].first, found[0].second)
            first, second = ends if ends[0] in learned else ends[::-1]
            title = _how(found[0].kind, found[0].transform)
    frames = tuple(_frame(place, audit) for place in (first, second))
    return Strip(title, frames, len(crossing.places) - 2)


def _conflict(places: tuple[int, ...], audit: Audit) -> Strip:
    by_label = {audit.rows[place].label: place for place in reversed(places)}
    shown = [by_label["normal"], by_label["abnormal"]]
    frames = tuple(_frame(place, audit) for place in shown)
    return Strip("One image, two labels", frames, len(places) - 2)


def _frame(place: int, audit: Audit) -> Frame:
    row = audit.rows[place]
    return Frame(place, row.name, ", ".join(word for word in (row.label, row.split) if word))


def _how(kind: str, transform: str) -> str:
    """Return how one is a copy of the other, in words."""
    words = f"{kind[:1].upper()}{kind[1:]}"
    return words if transform == "same" else f"{words}, {transform}"
