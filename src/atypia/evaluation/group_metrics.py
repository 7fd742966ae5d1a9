"""How well groups (patients) were judged, each by its most abnormal slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.verdicts import Verdicts
from atypia.threshold import HIGHEST, volume_p_value, volume_score
from atypia.threshold.healthy import HealthyScores

USUAL_ALPHA = 0.05


@dataclass(frozen=True)
class GroupMetrics:
    """Figures of merit over groups: `image` holds them, counted in groups instead of scans.

    A group is abnormal where any of its scans is; `scans` tells how many it has, (fewest, median, most). How
    it is scored and flagged is the choice of `measure_groups` or `measure_patients`.
    """

    image: ImageMetrics
    scans: tuple[int, float, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the block `group` of `metrics.json`, NaN still in it."""
        fewest, median, most = self.scans
        return {
            **self.image.to_dict(),
            "scans_of_a_group": {"fewest": fewest, "median": median, "most": most},
        }


def measure_groups(verdicts: Verdicts, threshold: float, resamples: int) -> GroupMetrics | None:
    """Measure groups as a reader does who looks at every slice; None where none has several judged scans.

    The score is the highest of a group's scans, and it is flagged where any of them is. Groups of many scans
    therefore raise more false alarms than a single scan does.
    """
    found = _Groups.of(verdicts)
    if found is None:
        return None
    scores = np.full(len(found.names), -math.inf)
    np.maximum.at(scores, found.codes, verdicts.scores)
    p_values = np.ones(len(found.names))
    np.minimum.at(p_values, found.codes, verdicts.p_values)
    flagged = np.bincount(found.codes, verdicts.flagged) > 0
    grouped = found.verdicts(verdicts, scores, p_values, flagged)
    return GroupMetrics(ImageMetrics.of(grouped, threshold, resamples=resamples), found.scans)


def measure_patients(
    verdicts: Verdicts, healthy: HealthyScores | None, alpha: float, resamples: int
) -> GroupMetrics | None:
    """Measure groups as whole volumes are judged, by a calibration of their own; None where there is none.

    The score is the mean of the three highest of a group's scans, and it is flagged where its p-value among
    the groups of the healthy calibration scans is at most `alpha`, 0.05 where that is NaN.
    """
    found = _Groups.of(verdicts)
    if found is None or healthy is None or found.scans[0] < HIGHEST:
        return None
    parts = [verdicts.scores[found.codes == code] for code in range(len(found.names))]
    scores = [volume_score(part) for part in parts]
    known = [p for score in scores if (p := volume_p_value(healthy, score)) is not None]
    if len(known) < len(scores):
        return None
    alpha = USUAL_ALPHA if math.isnan(alpha) else alpha
    p_values = np.array(known)
    grouped = found.verdicts(verdicts, np.array(scores), p_values, p_values <= alpha)
    return GroupMetrics(ImageMetrics.of(grouped, math.nan, alpha=alpha, resamples=resamples), found.scans)


@dataclass(frozen=True, eq=False)
class _Groups:
    """The names of groups, the number of that of each scan, and (fewest, median, most) scans of one."""

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    scans: tuple[int, float, int]

    @classmethod
    def of(cls, verdicts: Verdicts) -> Self | None:
        if not verdicts.groups or None in verdicts.groups:
            return None
        names, codes, sizes = np.unique(
            np.array(verdicts.groups, dtype=np.str_), return_inverse=True, return_counts=True
        )
        if sizes.max() < 2:
            return None
        return cls(
            tuple(names.tolist()), codes, (int(sizes.min()), float(np.median(sizes)), int(sizes.max()))
        )

    def verdicts(
        self,
        scans: Verdicts,
        scores: NDArray[np.float64],
        p_values: NDArray[np.float64],
        flagged: NDArray[np.bool_],
    ) -> Verdicts:
        """Return the groups in place of their scans."""
        labels = np.bincount(self.codes, scans.labels) > 0
        return Verdicts(self.names, (None,) * len(self.names), scores, p_values, labels, flagged)
