"""The scores of healthy scans, who they belong to, and how their scans were taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import BadOption

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Taken = Mapping[str, tuple[str | None, ...]]


@dataclass(frozen=True, eq=False)
class HealthyScores:
    """Scores float64 (N,), rising; `groups` int64 (N,) of equal numbers within a patient or cluster.

    The numbers of the groups say nothing of their names. `grouped` tells whether any group was known:
    else every scan is its own. `taken` says how the scans were taken: by the name of a column, such as
    plane, its value for each of them, None where it is not known.
    """

    scores: Floats
    groups: Codes
    grouped: bool = False
    taken: Taken = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        scores: ArrayLike,
        groups: Sequence[object | None] | None = None,
        taken: Mapping[str, Sequence[str | None]] | None = None,
    ) -> Self:
        """Sort scores with what belongs to them; a scan whose group is None is a group of its own.

        Raises BadOption where lengths differ or a score is not finite.
        """
        values = np.asarray(scores, dtype=np.float64).ravel()
        if not np.isfinite(values).all():
            raise BadOption("A threshold needs finite healthy scores; the detector gave some that are not.")
        columns = {"groups": groups, **(taken or {})} if groups is not None else dict(taken or {})
        for name, column in columns.items():
            if len(column) != values.size:
                raise BadOption(
                    f"{name}: expected one for each of {values.size} scores, received {len(column)}."
                )
        order = np.argsort(values, kind="stable")
        known = [None] * values.size if groups is None else [groups[place] for place in order]
        ordered = values[order]
        numbers = _numbered(known)
        for array in (ordered, numbers):
            array.setflags(write=False)
        return cls(
            ordered,
            numbers,
            any(group is not None for group in known),
            {name: tuple(column[place] for place in order) for name, column in (taken or {}).items()},
        )

    def __len__(self) -> int:
        return int(self.scores.size)

    @cached_property
    def group_count(self) -> int:
        """Return how many groups there are: what counts where the scans of one are alike."""
        return int(np.unique(self.groups).size)

    @cached_property
    def _tail(self) -> Floats:
        """Return at each place the sum of the groups' shares that lie there or higher, and 0 at the end."""
        _, places, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        higher = np.cumsum((1.0 / sizes[places])[::-1])[::-1]
        # Whole sums come out whole, so that a p-value that equals alpha does so to the last digit.
        return np.append(np.round(higher, 12), 0.0)

    def p_values(self, scores: ArrayLike) -> Floats:
        """Return (1 + sum over the groups of the share of its scores at least as high) / (1 + groups)."""
        reached = np.searchsorted(self.scores, np.asarray(scores, dtype=np.float64), side="left")
        return np.asarray((1 + self._tail[reached]) / (1 + self.group_count), dtype=np.float64)

    def chosen(self, keep: Sequence[bool]) -> HealthyScores:
        """Return those of the places where `keep` (N,) is true."""
        taken = {
            name: tuple(value for value, kept in zip(values, keep, strict=True) if kept)
            for name, values in self.taken.items()
        }
        mask = np.asarray(keep, dtype=bool)
        return HealthyScores(self.scores[mask], self.groups[mask], self.grouped, taken)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; groups and columns stand in them only where any was known."""
        values: dict[str, Any] = {"healthy": self.scores.tolist()}
        if self.grouped:
            values["groups"] = self.groups.tolist()
        if self.taken:
            values["taken"] = {name: list(column) for name, column in self.taken.items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`, also of a version that knew scores alone."""
        taken = {
            str(name): [_text(value) for value in column] for name, column in values.get("taken", {}).items()
        }
        return cls.of(values["healthy"], values.get("groups"), taken)


def _numbered(groups: Sequence[object | None]) -> Codes:
    """Return a number for each, the same for the same group, in the order in which they come."""
    seen: dict[object, int] = {}
    numbers = [
        seen.setdefault(("alone", place) if group is None else ("group", group), len(seen))
        for place, group in enumerate(groups)
    ]
    return np.array(numbers, dtype=np.int64)


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"expected a text or nothing, received {value!r}")
    return value
