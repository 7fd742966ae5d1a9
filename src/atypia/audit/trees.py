"""Small boosted trees that try to tell two sets of scans apart, judged on groups that they have not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
MOST = 8000
"""Scans that the trees learn from and are judged on; more of them would change little."""

Floats = NDArray[np.float64]


def out_of_fold(features: Floats, truth: NDArray[np.bool_], units: NDArray[np.intp], *, seed: int) -> Floats:
    """Return for each scan (N,) how sure trees that have seen none of its unit are that it is of `truth`.

    `features` is (N, K), NaN where undefined. The trees are scikit-learn's HistGradientBoostingClassifier
    (Friedman 2001, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29),
    shallow and few; nothing is tuned. Folds keep whole units and are alike in their share of `truth`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    scores = np.full(len(truth), np.nan)
    for learned, held_out in folds.split(features, truth, units):
        if len(np.unique(truth[learned])) < 2 or not len(held_out):
            continue
        trees = HistGradientBoostingClassifier(
            max_iter=40,
            learning_rate=0.2,
            max_leaf_nodes=12,
            min_samples_leaf=int(np.clip(len(learned) // 20, 2, 20)),
            early_stopping=False,
            random_state=seed,
        )
        telling = _varies(features[learned])
        if telling.any():
            # So small a task is slower on several threads where others want them too.
            with threadpool_limits(1):
                trees.fit(features[np.ix_(learned, telling)], truth[learned])
                scores[held_out] = trees.decision_function(features[np.ix_(held_out, telling)])
    return scores


def _varies(features: Floats) -> NDArray[np.bool_]:
    """Tell which columns (K,) have two different numbers: the trees cannot take one without any."""
    known = np.isfinite(features)
    lowest = np.where(known, features, np.inf).min(axis=0)
    return np.asarray(np.where(known, features, -np.inf).max(axis=0) > lowest)


def drawn_units(units: NDArray[np.intp], most: int, *, seed: int) -> NDArray[np.intp]:
    """Return the places of whole units drawn at random until about `most` scans are gathered, in order."""
    if len(units) <= most:
        return np.arange(len(units))
    codes = np.unique(units, return_inverse=True)[1]
    sizes = np.bincount(codes)
    order = np.random.default_rng(seed).permutation(len(sizes))
    kept = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), most)))]
    return np.flatnonzero(np.isin(codes, kept))
