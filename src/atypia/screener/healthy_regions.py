"""How striking the regions of healthy maps are, and so which regions of a new map are to be told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact
from atypia.screener.rank_table import RankTable

Floats = NDArray[np.float64]

FALSE_DISCOVERIES = 0.10


@dataclass(frozen=True, eq=False)
class HealthyRegions:
    """The masses of all regions of healthy calibration scans, and of each scan what is most striking.

    The p-value of one region is its place among the masses of all healthy regions (Chumbley and Friston,
    "False discovery rate revisited", NeuroImage 2009: topological features, not pixels, are what is tested).
    Those of one scan are adjusted together by Benjamini and Hochberg (1995). What that gives is then placed
    among the lowest adjusted value of each healthy scan, one number for each, as in the maximum statistic of
    Nichols and Hayasaka (2003): of healthy scans that nothing but chance tells from those of the
    calibration, a share of at most q has any region with a p-value of at most q.
    """

    masses: RankTable
    lowest: RankTable

    @classmethod
    def learn(cls, scans: Sequence[Floats]) -> Self:
        """Learn from the masses of the regions of each healthy scan, none being an empty array.

        Each scan is compared with the others alone, just as a new one will be.
        """
        together = RankTable.learn(np.concatenate([np.zeros(0), *scans]))
        everyone = np.sort(np.concatenate([np.zeros(0), *scans]))
        lowest = [_lowest(masses, everyone) for masses in scans]
        return cls(together, RankTable.learn(-np.array(lowest)))

    def p_values(self, masses: Floats) -> Floats:
        """Return the p-values (M,) of all regions of one scan, given their masses (M,)."""
        return self.lowest.p_values(-adjusted(self.masses.p_values(masses)))

    def card(self) -> dict[str, Any]:
        """Return what there is to know of them, for a reader."""
        fewest = math.ceil(1 / FALSE_DISCOVERIES) - 1
        enough = self.lowest.count >= fewest
        told = (
            f"those with p at most {FALSE_DISCOVERIES:g}"
            if enough
            else f"none: {fewest} healthy scans needed"
        )
        return {"told": told, "healthy_scans": self.lowest.count, "healthy_regions": self.masses.count}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"masses": self.masses.to_dict(), "lowest": self.lowest.to_dict()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where a part is missing or no table."""
        try:
            parts = saved["masses"], saved["lowest"]
        except (KeyError, TypeError) as error:
            raise CorruptArtefact(f"The saved healthy regions cannot be used: {error!r}.") from error
        return cls(*(RankTable.from_dict(part) for part in parts))


def adjusted(p_values: Floats) -> Floats:
    """Return p-values (M,) adjusted by Benjamini and Hochberg (1995), theorem 1.

    >>> adjusted(np.array([0.04, 0.01, 0.03])).tolist()
    [0.04, 0.03, 0.04]
    """
    count = p_values.size
    falling = np.argsort(-p_values, kind="stable")
    raised = p_values[falling] * count / np.arange(count, 0, -1)
    result = np.empty(count)
    result[falling] = np.minimum(np.minimum.accumulate(raised), 1.0)
    return result


def _lowest(masses: Floats, everyone: Floats) -> float:
    """Return the lowest adjusted p-value of one scan among the others; 1 where it has no region."""
    if not masses.size:
        return 1.0
    own = np.sort(masses)
    others = everyone.size - own.size
    higher = everyone.size - np.searchsorted(everyone, masses) - (own.size - np.searchsorted(own, masses))
    return float(adjusted((1 + higher) / (1 + others)).min())
