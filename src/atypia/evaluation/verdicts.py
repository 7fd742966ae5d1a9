"""What was said of labelled scans, as columns, and which of them could not be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.resampling import GroupBootstrap


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The labelled scans that were judged, one place each, in the order in which they came.

    `scores` float64 (N,), higher is more abnormal; `p_values` float64 (N,); `labels` bool (N,), True is
    abnormal; `flagged` bool (N,); `kinds` as the table names them, None where it does not. `groups` (N,)
    names patients or clusters of near-copies, and `taken` the plane, sequence and scanner, where they are
    known.
    """

    names: tuple[str, ...]
    kinds: tuple[str | None, ...]
    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    labels: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    groups: tuple[str | None, ...] = ()
    taken: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def where(self, chosen: NDArray[np.bool_]) -> Verdicts:
        """Return the scans chosen (N,), in the same order."""
        places = np.flatnonzero(chosen)
        return Verdicts(
            tuple(self.names[place] for place in places),
            tuple(self.kinds[place] for place in places),
            self.scores[places],
            self.p_values[places],
            self.labels[places],
            self.flagged[places],
            tuple(self.groups[place] for place in places) if self.groups else (),
            {name: tuple(column[place] for place in places) for name, column in self.taken.items()},
        )

    def bootstrap(self, resamples: int) -> GroupBootstrap:
        """Return the bootstrap over the groups of these scans; one without a group is its own."""
        groups = self.groups or (None,) * len(self)
        return GroupBootstrap.of(groups, self.labels, names=self.names, resamples=resamples)


@dataclass(frozen=True)
class Unreadable:
    """A labelled scan that could not be judged, and why."""

    name: str
    kind: str | None
    error: str
    abnormal: bool = False
    taken: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Unfit:
    """A labelled scan that was read and scored, but is not one to be judged, and why."""

    name: str
    kind: str | None
    reason: str
    abnormal: bool
    taken: Mapping[str, str | None] = field(default_factory=dict)
