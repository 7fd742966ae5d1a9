"""Whether p-values keep their word: of healthy scans, a share of p at most should have one of p at most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.verdicts import Verdicts

AT = (0.01, 0.05, 0.10)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PValueMetrics:
    """How the p-values of the normal test scans compare with what they promise.

    `shares` (three) is how many have a p-value of at most 1, 5 and 10 %. `excess` is by how much the share
    ever exceeds p: too many small p-values, so more false alarms than promised. `shortfall` is by how much it
    stays below, one step of the p-values allowed. `band` is the distance that chance alone seldom (5 %)
    exceeds where test and calibration scans are alike, counted in groups: the inequality of Dvoretzky, Kiefer
    and Wolfowitz with the constant of Massart (1990), Annals of Probability 18, for two samples as in Wei and
    Dudley (2012), Statistics and Probability Letters 82, where the number of calibration scans is known.
    """

    scans: int
    groups: int
    calibration_groups: int | None
    shares: tuple[float, ...]
    excess: float
    shortfall: float
    band: float

    @classmethod
    def of(cls, verdicts: Verdicts, calibration_groups: int | None = None) -> PValueMetrics | None:
        """Measure the normal scans with a p-value; None where there is none."""
        healthy = verdicts.where(~verdicts.labels & np.isfinite(verdicts.p_values))
        if not len(healthy):
            return None
        groups = healthy.bootstrap(0).groups
        values, shares = distribution(healthy.p_values)
        before = np.concatenate([[0.0], shares[:-1]])
        step = 1 / (calibration_groups + 1) if calibration_groups else 0.0
        return cls(
            scans=len(healthy),
            groups=groups,
            calibration_groups=calibration_groups,
            shares=tuple(float((healthy.p_values <= p + 1e-12).mean()) for p in AT),
            excess=max(0.0, float((shares - values).max())),
            shortfall=max(0.0, float((values - step - before).max())),
            band=_band(groups, calibration_groups),
        )

    @property
    def kept(self) -> bool:
        """Whether the excess is no more than chance explains."""
        return self.excess <= self.band

    def to_dict(self) -> dict[str, Any]:
        """Return the block `p_values` of `metrics.json`."""
        return {
            **{f"share_at_{100 * p:g}": found for p, found in zip(AT, self.shares, strict=True)},
            "excess": self.excess,
            "shortfall": self.shortfall,
            "band": self.band,
            "kept": self.kept,
            "counts": {
                "scans": self.scans,
                "groups": self.groups,
                "calibration_groups": self.calibration_groups,
            },
        }


def distribution(p_values: Floats) -> tuple[Floats, Floats]:
    """Return the distinct p-values, rising, and the share of scans with at most each, (K,) and (K,)."""
    values, counts = np.unique(p_values, return_counts=True)
    return values, np.cumsum(counts) / len(p_values)


def _band(groups: int, calibration_groups: int | None) -> float:
    others = math.inf if calibration_groups is None else calibration_groups
    whole = 1 / (1 / groups + 1 / others)
    return min(1.0, math.sqrt(math.log(2 / 0.05) / (2 * whole)))
