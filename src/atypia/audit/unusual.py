"""Which of the pictures called healthy look abnormal to a detector that was fitted on the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.audit.first_look import Pictures
from atypia.detectors import Batch, Detector, FitContext, Nearest
from atypia.progress import progress

FOLDS = 3
FEWEST = 40
MOST_LEARNED = 500
AT_ONCE = 16
TOP = 0.03


def how_unusual(
    pictures: Pictures, clusters: NDArray[np.intp], work: Path, *, seed: int, threads: int
) -> NDArray[np.float64] | None:
    """Return for each picture (N,) how far its score lies above the median, in robust deviations of its fold.

    The detector `nearest` on the embedded encoder is fitted on at most 500 pictures of other clusters, one of
    each, and looks at those of a third of the clusters; the score is the mean of the highest 3 % of its map
    inside the head, which a lesion raises and another plane does less. The deviation is 1.4826 times the
    median absolute one.
    None where there are fewer than 40 clusters to learn from.
    """
    names, first = np.unique(clusters, return_index=True)
    if len(names) < FEWEST:
        return None
    rng = np.random.default_rng((seed, 12))
    fold_of = dict(zip(names.tolist(), (rng.permutation(len(names)) % FOLDS).tolist(), strict=True))
    folds = np.array([fold_of[cluster] for cluster in clusters.tolist()])
    unusual = np.zeros(len(pictures))
    for fold in progress(range(FOLDS), total=FOLDS, label="comparing healthy scans", unit="fold"):
        others = first[folds[first] != fold]
        learned = np.sort(rng.permutation(others)[:MOST_LEARNED])
        detector = Nearest("efficientnet-lite0", threads=threads, retrieved=5, reach=1)
        detector.fit(pictures.only(learned), FitContext(work / f"fold{fold}", seed))
        judged = np.flatnonzero(folds == fold)
        parts = [judged[start : start + AT_ONCE] for start in range(0, len(judged), AT_ONCE)]
        scores = np.concatenate([_striking(detector, pictures.batch(part)) for part in parts])
        middle = np.median(scores)
        unusual[judged] = (scores - middle) / max(1.4826 * float(np.median(np.abs(scores - middle))), 1e-9)
    return unusual


def _striking(detector: Detector, batch: Batch) -> NDArray[np.float64]:
    maps = detector.score(batch).map
    found = []
    for heat, head in zip(maps, batch.foreground, strict=True):
        values = np.sort(heat[head] if head.any() else heat.ravel())
        found.append(values[-max(1, round(TOP * values.size)) :].mean())
    return np.array(found, np.float64)
