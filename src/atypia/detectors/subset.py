"""Some of a prepared set, and how to keep whole groups of it aside."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.batch import Batch, PreparedSet

Places = NDArray[np.intp]


@final
class Subset:
    """The scans of a prepared set at these places."""

    def __init__(self, scans: PreparedSet, places: Places) -> None:
        self._scans, self._places = scans, places

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, indices: Places) -> Batch:
        """Return the scans at these places of the subset, in this order."""
        return self._scans.batch(self._places[indices])


def kept_aside(count: int, groups: tuple[str | None, ...], share: float, seed: int) -> tuple[Places, Places]:
    """Return which scans to learn from and which to keep aside, both in order.

    Whole groups are kept aside until there are about `share` of the scans; a scan without a group is its own.
    A group that is much too large for that stays with those to learn from, unless all are. Of fewer than
    three groups scans are kept aside one by one.
    """
    names = [groups[i] if i < len(groups) and groups[i] is not None else i for i in range(count)]
    if len(set(names)) < 3:
        names = list(range(count))
    members: dict[object, list[int]] = {}
    for place, name in enumerate(names):
        members.setdefault(name, []).append(place)
    order = list(members.values())
    wanted = max(1, round(share * count))
    aside: list[int] = []
    for which in np.random.default_rng((seed, 22)).permutation(len(order)):
        if len(aside) >= wanted:
            break
        if len(aside) + len(order[which]) <= max(wanted * 1.5, wanted + 2):
            aside += order[which]
    aside = aside or min(order, key=len)
    chosen = np.zeros(count, bool)
    chosen[aside] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
