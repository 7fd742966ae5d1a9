"""What was said of labelled scans, as columns, and which of them could not be judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The labelled scans that were judged, one place each, in the order in which they came.

    `scores` float64 (N,), higher is more abnormal; `p_values` float64 (N,); `labels` bool (N,), True is
    abnormal; `flagged` bool (N,); `kinds` as the table names them, None where it does not.
    """

    names: tuple[str, ...]
    kinds: tuple[str | None, ...]
    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    labels: NDArray[np.bool_]
    flagged: NDArray[np.bool_]

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
        )

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Return True (N,) where a scan is of this kind."""
        return np.array([own == kind for own in self.kinds], dtype=bool)


@dataclass(frozen=True)
class Unreadable:
    """A labelled scan that could not be judged, and why."""

    name: str
    kind: str | None
    error: str
