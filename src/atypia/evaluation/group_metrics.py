"""How well groups (patients) were judged, each by its most abnormal slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.verdicts import Verdicts


@dataclass(frozen=True)
class GroupMetrics:
    """Figures of merit over groups: `image` holds them, counted in groups instead of scans.

    A group is abnormal where any of its scans is. Its score is the highest of its scans, and it is flagged
    where any of them is: both are what a reader does who looks at every slice. Groups of many scans therefore
    raise more false alarms than a single scan does; `scans` tells how many there are, (fewest, median, most).
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
    """Measure by group; None where no group has more than one judged scan."""
    if not verdicts.groups or None in verdicts.groups:
        return None
    names, codes, sizes = np.unique(
        np.array(verdicts.groups, dtype=np.str_), return_inverse=True, return_counts=True
    )
    if sizes.max() < 2:
        return None
    scores = np.full(len(names), -math.inf)
    np.maximum.at(scores, codes, verdicts.scores)
    p_values = np.ones(len(names))
    np.minimum.at(p_values, codes, verdicts.p_values)
    grouped = Verdicts(
        names=tuple(names.tolist()),
        kinds=(None,) * len(names),
        scores=scores,
        p_values=p_values,
        labels=np.bincount(codes, verdicts.labels) > 0,
        flagged=np.bincount(codes, verdicts.flagged) > 0,
    )
    scans = (int(sizes.min()), float(np.median(sizes)), int(sizes.max()))
    return GroupMetrics(ImageMetrics.of(grouped, threshold, resamples=resamples), scans)
