"""Whether one figure orders detectors as another does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 4
"""Of fewer pairs no correlation is told."""


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of a criterion with the truth over `count` detectors, each from -1 to 1.

    `spearman` is rho (Spearman 1904), `kendall` is tau-b (Kendall 1945), which allows for ties.
    """

    criterion: str
    truth: str
    count: int
    spearman: float
    kendall: float


def rank_agreement(
    criterion: str, truth: str, guessed: Sequence[float | None], true: Sequence[float | None]
) -> Agreement | None:
    """Return how well two figures (N,) of the same detectors agree in order; None where that cannot be told.

    Pairs of which either is missing are left out; there must be four that are not all equal.

    >>> rank_agreement("a", "b", [1, 2, 3, 4, None], [10, 20, 40, 30, 5])
    Agreement(criterion='a', truth='b', count=4, spearman=0.8, kendall=0.667)
    """
    from scipy.stats import kendalltau, spearmanr

    pairs = np.array(list(zip(guessed, true, strict=True)), np.float64).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(1)]
    if len(pairs) < FEWEST or (np.ptp(pairs, axis=0) == 0).any():
        return None
    first, second = pairs.T
    return Agreement(
        criterion,
        truth,
        len(pairs),
        round(float(spearmanr(first, second).statistic), 3),
        round(float(kendalltau(first, second).statistic), 3),
    )
