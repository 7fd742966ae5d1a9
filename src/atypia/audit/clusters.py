"""Scans that belong together: copies of one image, slices of one patient, and both joined."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from atypia.reading.row import Row

Codes = NDArray[np.intp]
Key = TypeVar("Key", bound=Hashable)


def members_by(keys: Iterable[Key | None]) -> dict[Key, tuple[int, ...]]:
    """Return the places of each key, in order; those without a key (None) are left out.

    >>> members_by(["a", None, "b", "a"])
    {'a': (0, 3), 'b': (2,)}
    """
    found: dict[Key, list[int]] = {}
    for place, key in enumerate(keys):
        if key is not None:
            found.setdefault(key, []).append(place)
    return {key: tuple(places) for key, places in found.items()}


def cluster_members(clusters: Sequence[int] | NDArray[np.integer]) -> dict[int, tuple[int, ...]]:
    """Return the places of each cluster of copies, single images too, the largest first; -1 is left out."""
    found = members_by(None if cluster < 0 else int(cluster) for cluster in clusters)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[1])))


def units_of(rows: Sequence[Row], clusters: Sequence[int] | NDArray[np.integer]) -> Codes:
    """Return a number (N,) for each scan, equal where a group or copies, or a chain of them, join two.

    These are what is independent: they are drawn and held out together.
    """
    sets = [*members_by(row.group for row in rows).values(), *cluster_members(clusters).values()]
    first = [members[0] for members in sets for _ in members[1:]]
    second = [member for members in sets for member in members[1:]]
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(len(rows), len(rows)))
    return np.asarray(connected_components(links, directed=False)[1], np.intp)
