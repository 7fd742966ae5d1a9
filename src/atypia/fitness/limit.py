"""Up to where a measure of healthy calibration scans is that of a scan which may be judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Limit:
    """Above `value` a scan is unfit; `highest` is what healthy calibration scans reach."""

    value: float
    highest: float

    @classmethod
    def learn(cls, healthy: NDArray[np.float64], alpha: float, margin: float, least: float = 0.0) -> Self:
        """Learn from a measure of N healthy scans that nothing was learned from.

        The value is at least their split-conformal quantile, the ceil((1 - alpha) (N + 1))-th smallest
        (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 4.1): at most
        `alpha` of new healthy scans exceed it, and at most 1 / (N + 1) where N is too small for that rank,
        for then it is the largest. It is never below `margin` medians nor `least`, so that a sick scan,
        a little less usual than healthy ones, stays judged.
        """
        ordered = np.sort(healthy)
        rank = min(math.ceil((1 - alpha) * (ordered.size + 1)), ordered.size)
        value = max(float(ordered[rank - 1]), margin * float(np.median(ordered)), least)
        return cls(value, float(ordered[-1]))

    def to_dict(self) -> dict[str, float]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild; raise KeyError, TypeError or ValueError where the values are no limit's."""
        made = cls(float(values["value"]), float(values["highest"]))
        if not (math.isfinite(made.value) and math.isfinite(made.highest) and made.value > 0):
            raise ValueError(f"expected a limit above 0, received {made}")
        return made
