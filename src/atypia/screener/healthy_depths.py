"""How high healthy maps are at each depth in the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact
from atypia.scan import Image, Mask
from atypia.screener.depth import BINS, depth_bins
from atypia.screener.rank_table import RankTable

LEVEL = 0.05
FEWEST = 200


@dataclass(frozen=True, eq=False)
class HealthyDepths:
    """`tables`: the values of healthy maps in the whole head, then in each of 12 layers below its surface.

    A layer with few healthy pixels is judged by the whole head.
    """

    tables: tuple[RankTable, ...]

    @classmethod
    def learn(cls, values: Image, bins: NDArray[np.uint8]) -> Self:
        """Learn from values of healthy maps and the layers (see `depth_bins`) they come from, both (N,)."""
        pooled = RankTable.learn(values)
        layers = [values[bins == layer] for layer in range(1, BINS + 1)]
        return cls((pooled, *(RankTable.learn(v) if v.size >= FEWEST else pooled for v in layers)))

    def p_values(self, heat: Image, foreground: Mask) -> NDArray[np.float64]:
        """Return how unusual each pixel of a map is, in (0, 1], 1 outside the head; all of shape (S, S).

        (1 + number of healthy pixels at least as high) / (1 + their number), among those at that depth or
        among those of the whole head, whichever is the larger. Where scans are drawn alike, the share of
        healthy pixels at a depth with p <= a is about a. Pixels of one scan depend on each other, so
        nothing follows for how many such pixels one scan has: for that see HealthyRegions.
        """
        bins = depth_bins(foreground)
        result = np.ones(heat.shape)
        for layer in np.unique(bins[bins > 0]):
            here = bins == layer
            values = heat[here]
            result[here] = np.maximum(self.tables[0].p_values(values), self.tables[layer].p_values(values))
        return result

    def excess(self, heat: Image, foreground: Mask) -> NDArray[np.float32]:
        """Return how far a map (S, S) is above what 95 % of healthy pixels reach, 0 where it is not.

        Where healthy maps vary, it is above 0 just where `p_values` is at most 0.05. In units of the
        distance from the median at that depth to that level, so that the result does not change with
        `a * heat + b`, a > 0.
        """
        limits, scales = self._limits
        bins = depth_bins(foreground)
        above = (heat - limits.take(bins)) * scales.take(bins)
        return np.asarray(np.maximum(above, 0), np.float32)

    @cached_property
    def _limits(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return by layer the level, and the inverse of the median's distance to it; 0 outside the head."""
        whole = self.tables[0].value_at(LEVEL)
        limits = np.array([max(whole, table.value_at(LEVEL)) for table in self.tables])
        medians = np.array([table.value_at(0.5) for table in self.tables])
        with np.errstate(invalid="ignore"):
            spans = limits - medians
        usable = np.isfinite(spans) & (spans > 1e-6 * np.abs(limits))
        usable[0] = False
        scales = np.zeros(len(spans))
        scales[usable] = 1 / spans[usable]
        return np.where(usable, limits, 0.0).astype(np.float32), scales.astype(np.float32)

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain JSON values."""
        return [table.to_dict() for table in self.tables]

    @classmethod
    def from_list(cls, saved: list[Mapping[str, Any]]) -> Self:
        """Rebuild from `to_list`; raise CorruptArtefact unless these are tables for all layers."""
        if not isinstance(saved, list) or len(saved) != BINS + 1:
            raise CorruptArtefact(f"The saved healthy map needs {BINS + 1} tables by depth.")
        return cls(tuple(RankTable.from_dict(table) for table in saved))
