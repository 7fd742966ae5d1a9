"""Means over an epoch of what each batch gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsFloat


class Means:
    """Weighted means by name; 0-dimensional arrays count as numbers.

    >>> means = Means()
    >>> means.add({"loss": 1.0}, 3)
    >>> means.add({"loss": 5.0}, 1)
    >>> means.values
    {'loss': 2.0}
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weight = 0

    def add(self, values: Mapping[str, SupportsFloat], weight: int) -> None:
        """Count these values `weight` times."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * float(value)
        self._weight += weight

    @property
    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self._weight for name, total in self._sums.items()}
