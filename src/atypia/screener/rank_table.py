"""Which share of healthy values are as high as a new one, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import CorruptArtefact

Floats = NDArray[np.float64]

SHARES = np.unique(
    np.concatenate([np.linspace(0.1, 1.0, 46), np.geomspace(1e-6, 0.1, 120), [0.5, 0.2, 0.05, 0.02, 0.01]])
)
"""The shares at which a table keeps values: even ones, and finer the rarer."""


@dataclass(frozen=True, eq=False)
class RankTable:
    """`values` float64 (K,), rising, of `count` healthy ones: `ranks` (K,) tells how high, 1 the highest.

    Small tables keep every value; of many values the highest and some ranks below are kept.
    """

    count: int
    ranks: NDArray[np.int64]
    values: Floats

    @classmethod
    def learn(cls, values: ArrayLike) -> Self:
        """Keep what is needed of finite values (N,)."""
        ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
        count = ordered.size
        kept = np.floor(SHARES * (count + 1) * (1 + 1e-12)).astype(np.int64) if count > SHARES.size else None
        ranks = np.arange(1, count + 1) if kept is None else np.unique(np.clip(kept, 1, count))
        ranks = ranks[::-1].astype(np.int64)
        return cls(count, ranks, ordered[count - ranks])

    def p_values(self, asked: ArrayLike) -> Floats:
        """Return (1 + number of healthy values at least as high) / (1 + count), in (0, 1].

        Between two values that were kept the larger share is told, so that it is never too small.
        """
        below = np.searchsorted(self.values, np.asarray(asked, dtype=np.float64), side="left")
        steps = np.concatenate([[self.count + 1], self.ranks])
        return np.asarray(steps[below] / (self.count + 1), dtype=np.float64)

    def value_at(self, share: float) -> float:
        """Return the value above which `p_values` is at most this share; infinite where none is."""
        within = np.flatnonzero(self.ranks <= share * (self.count + 1) * (1 + 1e-12))
        return float(self.values[within[0]]) if within.size else float("inf")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"count": self.count, "ranks": self.ranks.tolist(), "values": self.values.tolist()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where these cannot be ranks and values."""
        try:
            count = int(saved["count"])
            ranks = np.array(saved["ranks"], dtype=np.int64)
            values = np.array(saved["values"], dtype=np.float64)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptArtefact(f"A saved table of healthy values cannot be used: {error!r}.") from error
        whole = ranks.ndim == 1 and ranks.shape == values.shape and np.isfinite(values).all()
        if not whole or np.any(np.diff(values) < 0) or np.any(np.diff(ranks) >= 0):
            raise CorruptArtefact("A saved table of healthy values cannot be used: it is not in order.")
        if ranks.size and not (ranks[-1] >= 1 and ranks[0] == count):
            raise CorruptArtefact("A saved table of healthy values cannot be used: ranks and count differ.")
        return cls(count, ranks, values)
