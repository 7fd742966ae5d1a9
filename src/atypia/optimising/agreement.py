"""Whether an optimised Screener says of healthy scans what the original says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.errors import ScoresDiffer

LEAST = 0.995
"""The least rank correlation of the scores."""
FARTHEST = 0.25
"""The farthest that scores may move on average, in standard deviations of the original's."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """The scores of the same healthy scans before and after, in words of numbers.

    `spearman` is their rank correlation, `shift` by how much they moved on average and `spread` the standard
    deviation of the differences, both in standard deviations of the original's scores. `flagged_before` and
    `flagged_after` count the scans above the original's threshold.
    """

    scans: int
    spearman: float
    shift: float
    spread: float
    flagged_before: int
    flagged_after: int

    @classmethod
    def of(
        cls,
        before: Floats,
        after: Floats,
        flagged_before: NDArray[np.bool_],
        flagged_after: NDArray[np.bool_],
    ) -> Self:
        """Compare scores (N,) and what a threshold says of them (N,).

        >>> scores, none = np.arange(4.0), np.zeros(4, bool)
        >>> Agreement.of(scores, scores, none, none).spearman
        1.0
        """
        from scipy.stats import rankdata

        ranks = rankdata(before), rankdata(after)
        spearman = np.nan
        if min(ranks[0].std(), ranks[1].std()) > 0:
            spearman = float(np.clip(np.corrcoef(*ranks)[0, 1], -1, 1))
        unit, apart = float(before.std()) or 1.0, after - before
        return cls(
            len(before),
            round(float(spearman), 12),
            float(apart.mean()) / unit,
            float(apart.std()) / unit,
            int(flagged_before.sum()),
            int(flagged_after.sum()),
        )

    @property
    def close(self) -> bool:
        """Tell whether the threshold of the original may stay."""
        return self.spearman >= LEAST and abs(self.shift) <= FARTHEST

    def demand(self) -> None:
        """Raise ScoresDiffer unless `close`."""
        if not self.close:
            raise ScoresDiffer(
                f"Expected scores of {self.scans} healthy scans with a rank correlation of at least {LEAST} "
                f"to the original's that move by at most {FARTHEST} of their standard deviation; received "
                f"{self.spearman:.4f} and {self.shift:+.2f}: at the original's threshold "
                f"{self.flagged_before} of them were flagged before, {self.flagged_after} after. Nothing was "
                "written. With --recalibrate the threshold is learned anew from these scans, or choose "
                "another precision."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a correlation that is not defined is None."""
        return {
            "healthy_scans": self.scans,
            "spearman": None if np.isnan(self.spearman) else self.spearman,
            "shift": self.shift,
            "spread": self.spread,
            "flagged_before": self.flagged_before,
            "flagged_after": self.flagged_after,
        }
