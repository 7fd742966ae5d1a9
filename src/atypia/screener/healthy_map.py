"""How the map of a detector looks on healthy scans."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.artefact import read_head
from atypia.errors import CorruptArtefact
from atypia.preparation import Geometry, Prepared
from atypia.scan import Image, Mask
from atypia.screener.healthy_depths import HealthyDepths
from atypia.screener.healthy_regions import HealthyRegions
from atypia.screener.regions import Found, find_regions

QUANTILE = 0.995


@dataclass(frozen=True)
class HealthyMap:
    """How the map looks on healthy calibration scans, inside the head, in the detector's units.

    `threshold` is the 99.5th percentile of its pixels: what is above is unusual for a healthy scan.
    `depths` and `regions` tell what is usual at each depth in the head, and for connected places; None in
    a Screener that was saved before they were learned, which tells no regions.
    """

    median: float
    threshold: float
    depths: HealthyDepths | None = field(default=None, compare=False)
    regions: HealthyRegions | None = field(default=None, compare=False)

    @classmethod
    def learn(
        cls,
        pixels: NDArray[np.float32],
        depths: HealthyDepths | None = None,
        regions: HealthyRegions | None = None,
    ) -> Self:
        """Learn from the map's values (N,) inside the heads of healthy scans."""
        return cls(float(np.median(pixels)), float(np.quantile(pixels, QUANTILE)), depths, regions)

    @property
    def heat_scale(self) -> tuple[float, float]:
        """Up to where a picture leaves the scan clear, and from where it glows in full.

        The same for all scans, so that a healthy brain does not glow like a sick one.
        """
        return self.threshold, self.threshold + max(self.threshold - self.median, 1e-12)

    def p_values(self, heat: Image, foreground: Mask) -> NDArray[np.float64] | None:
        """Return how unusual each pixel of a map (S, S) is at its depth in the head (S, S), in (0, 1].

        See HealthyDepths.p_values; None where nothing was learned by depth.
        """
        return None if self.depths is None else self.depths.p_values(heat, foreground)

    def p_map(self, heat: Image, foreground: Mask, geometry: Geometry) -> Image | None:
        """Return the p-values of a map (S, S) on the pixels of the input (H, W), where they can be told."""
        found = self.p_values(heat, foreground)
        if found is None:
            return None
        # What lies outside the canvas comes back as 0, which stands for 1.
        return 1 - geometry.to_input((1 - found).astype(np.float32))

    def heat_at(self, share: float) -> float | None:
        """Return the heat above which at most this share of the pixels of healthy heads is.

        Of heads as a whole, so that one value holds for all of a volume; `p_values` looks at the depth too.
        None where that is not known.
        """
        value = math.inf if self.depths is None else self.depths.tables[0].value_at(share)
        return value if math.isfinite(value) else None

    def find(self, heat: Image, prepared: Prepared, spacing: tuple[float, ...] | None = None) -> Found | None:
        """Return the regions of a map (S, S) that are unlike healthy scans; None where none can be told."""
        if self.depths is None or self.regions is None:
            return None
        return find_regions(heat, prepared, self.depths, self.regions, spacing)

    def card(self) -> dict[str, Any]:
        """Return what there is to know of its regions, for a reader."""
        if self.regions is None:
            return {"told": "none: saved before regions were learned; fit again to have them"}
        return self.regions.card()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values: dict[str, Any] = {"median": self.median, "threshold": self.threshold}
        if self.depths is not None:
            values["depths"] = self.depths.to_list()
        if self.regions is not None:
            values["regions"] = self.regions.to_dict()
        return values

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read that of a saved Screener, and nothing else of it; raise CorruptArtefact or NewerArtefact."""
        return cls.from_dict(read_head(path).get("healthy_map") or {})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be a map's."""
        try:
            median, threshold = float(values["median"]), float(values["threshold"])
            depths, regions = values.get("depths"), values.get("regions")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CorruptArtefact(f"The saved healthy map cannot be used: {error!r}.") from error
        if not math.isfinite(median + threshold):
            raise CorruptArtefact("The saved healthy map cannot be used: its values are not finite.")
        return cls(
            median,
            threshold,
            None if depths is None else HealthyDepths.from_list(depths),
            None if regions is None else HealthyRegions.from_dict(regions),
        )
