"""Clusters of near-copies in the place of groups, where a table knows none."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from atypia.copies.copies import Copies, find_copies
from atypia.reading.collection import Collection

_PREFIX = "copies-"


def with_clusters(collection: Collection, copies: Copies) -> Collection:
    """Give each row without a group that of its copies, where they have one, else the number of its cluster.

    A row that has a group keeps it, and one that could not be read gets none. `copies` must have been found
    in the rows of this collection, in their order.
    """
    known: dict[int, set[str]] = {}
    for row, cluster in zip(collection, copies.clusters, strict=True):
        if row.group is not None:
            known.setdefault(cluster, set()).add(row.group)
    rows = [
        row if row.group is not None or cluster < 0 else replace(row, group=_group(cluster, known))
        for row, cluster in zip(collection, copies.clusters, strict=True)
    ]
    return replace(collection, rows=tuple(rows))


def is_cluster(group: str | None) -> bool:
    """Tell whether a group is a cluster of near-copies that was found here, not a patient.

    >>> is_cluster("copies-00012"), is_cluster("patient-7"), is_cluster(None)
    (True, False, False)
    """
    return group is not None and group.startswith(_PREFIX) and group.removeprefix(_PREFIX).isdecimal()


def cluster_ungrouped(collection: Collection, *, workers: int = 2) -> tuple[Collection, str | None]:
    """Give the rows without a group their clusters of near-copies, and say what was found.

    That is a sentence without its end, for the caller knows what follows of it. Where every row has a group
    nothing is read, and it is None.
    """
    bare = sum(row.group is None for row in collection)
    if not bare:
        return collection, None
    copies = find_copies(collection.rows, workers=workers)
    return with_clusters(collection, copies), _told(collection, copies, bare)


def _told(collection: Collection, copies: Copies, bare: int) -> str:
    sizes = [size for cluster, size in Counter(copies.clusters).items() if cluster >= 0 and size > 1]
    clusters = "1 cluster" if len(sizes) == 1 else f"{len(sizes)} clusters"
    found = f"{clusters} of near-copies with {sum(sizes)} scans" if sizes else "no near-copies"
    unread = f" ({len(copies.unreadable)} could not be read)" if copies.unreadable else ""
    return f"No group is known of {bare} of {len(collection)} scans: {found}{unread}"


def _group(cluster: int, known: dict[int, set[str]]) -> str:
    groups = known.get(cluster, set())
    return next(iter(groups)) if len(groups) == 1 else f"{_PREFIX}{cluster:05}"
