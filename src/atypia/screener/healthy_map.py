"""How the map of a detector looks on healthy scans."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact

QUANTILE = 0.995


@dataclass(frozen=True)
class HealthyMap:
    """How the map looks on healthy calibration scans, inside the head, in the detector's units.

    `threshold` is the 99.5th percentile of its pixels: what is above is unusual for a healthy scan.
    """

    median: float
    threshold: float

    @classmethod
    def learn(cls, pixels: NDArray[np.float32]) -> Self:
        """Learn from the map's values (N,) inside the heads of healthy scans."""
        return cls(float(np.median(pixels)), float(np.quantile(pixels, QUANTILE)))

    @property
    def heat_scale(self) -> tuple[float, float]:
        """Up to where a picture leaves the scan clear, and from where it glows in full.

        The same for all scans, so that a healthy brain does not glow like a sick one.
        """
        return self.threshold, self.threshold + max(self.threshold - self.median, 1e-12)

    def to_dict(self) -> dict[str, float]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be a map's."""
        try:
            median, threshold = float(values["median"]), float(values["threshold"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptArtefact(f"The saved healthy map cannot be used: {error!r}.") from error
        if not math.isfinite(median + threshold):
            raise CorruptArtefact("The saved healthy map cannot be used: its values are not finite.")
        return cls(median, threshold)
