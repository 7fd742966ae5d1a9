"""Which of many pictures belong together, when pairs of them do: union and find."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray


class Clusters:
    """Sets of places that grow together (Tarjan 1975, with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, place: int) -> int:
        """Return the lowest place of those that belong with this one."""
        parent = self._parent
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    def join(self, one: int, other: int) -> None:
        """Put two places, and all that belongs to either, together."""
        low, high = sorted((self.find(one), self.find(other)))
        self._parent[high] = low

    def apart(self, ones: NDArray[np.integer], others: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Tell of each pair whether its two places are not together yet."""
        pairs = zip(ones.tolist(), others.tolist(), strict=True)
        return np.array([self.find(one) != self.find(other) for one, other in pairs], bool)

    def numbers(self, without: Container[int] = ()) -> list[int]:
        """Return the number of each place's cluster, in order of first appearance; -1 for those left out."""
        seen: dict[int, int] = {}
        return [
            -1 if place in without else seen.setdefault(self.find(place), len(seen))
            for place in range(len(self._parent))
        ]
