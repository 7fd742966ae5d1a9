"""One score for many slices of a volume, and how unusual it is among healthy volumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from atypia.threshold.healthy import HealthyScores

HIGHEST = 3


def volume_score(scores: ArrayLike) -> float:
    """Return the mean of the three highest scores (N,) of a volume's slices; of all where there are fewer.

    >>> volume_score([1.0, 5.0, 3.0, 4.0])
    4.0
    """
    return float(np.sort(np.asarray(scores, np.float64).ravel())[-HIGHEST:].mean())


def volume_p_value(healthy: HealthyScores, score: float, plane: str | None = None) -> float | None:
    """Return (1 + healthy volumes whose score is at least as high) / (1 + healthy volumes).

    The groups of the calibration must be volumes: None where they are not known, or where one of them has
    fewer than three scores. A healthy volume that is exchangeable with them has P(p <= alpha) <= alpha.
    With a `plane`, healthy slices of others are left out where their planes are known.
    """
    if not healthy.grouped:
        return None
    if plane is not None and plane in healthy.taken.get("plane", ()):
        healthy = healthy.chosen([taken == plane for taken in healthy.taken["plane"]])
    numbers, sizes = np.unique(healthy.groups, return_counts=True)
    if sizes.min() < HIGHEST:
        return None
    known = np.array([volume_score(healthy.scores[healthy.groups == number]) for number in numbers])
    return float((1 + np.count_nonzero(known >= score)) / (1 + known.size))
