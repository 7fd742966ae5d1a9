"""Which pictures of a set are turned, upside down or mirrored, by how their fellows lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atypia.audit.first_look import Pictures
from atypia.encoders import load_encoder
from atypia.fitness.canvas import small_canvas
from atypia.fitness.look import CUT, ENCODER, bands_of
from atypia.scan import Image

FOLDS = 3
MOST = 300
AT_ONCE = 32


class _Classifier(Protocol):
    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]: ...


@dataclass(frozen=True, eq=False)
class Poses:
    """Probabilities (N,) that a picture is quarter-turned, upside down, or upright and mirrored."""

    turned: NDArray[np.float64]
    upside_down: NDArray[np.float64]
    mirrored: NDArray[np.float64]


def find_poses(
    bands: NDArray[np.float32], pictures: Pictures, clusters: NDArray[np.intp], seed: int, threads: int
) -> Poses:
    """Tell the poses of pictures (N) by the deepest features of their bands (N, K).

    Up to 300 of them, one of each cluster, are turned and mirrored in all eight ways, and a linear
    discriminant with the shrunk covariance of Ledoit and Wolf learns which way was taken, as in Gidaris,
    Singh and Komodakis, "Unsupervised representation learning by predicting image rotations" (2018): most
    pictures of a set lie alike, so that the others stand out. Each is judged by what was learned from other
    clusters.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng((seed, 11))
    _, first = np.unique(clusters, return_index=True)
    chosen = np.sort(rng.permutation(first)[:MOST])
    ways = _eight_ways(pictures, chosen, threads)
    fold_of = rng.permutation(int(clusters.max()) + 1) % FOLDS
    found = np.zeros((len(bands), 8))
    for fold in range(FOLDS):
        learned, judged = fold_of[clusters[chosen]] != fold, fold_of[clusters] == fold
        if not (learned.any() and judged.any()):
            continue
        features = np.concatenate([way[learned] for way in ways])
        centre, spread = features.mean(0), features.std(0) + np.float32(1e-6)
        taken = np.repeat(np.arange(8), int(learned.sum()))
        learner: _Classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(
            (features - centre) / spread, taken
        )
        found[judged] = learner.predict_proba((bands[judged] - centre) / spread)
    either = found[:, :4] + found[:, 4:]
    mirrored = found[:, 4] / np.maximum(either[:, 0], 1e-9) * (either[:, 0] > 0.5)
    return Poses(either[:, 1] + either[:, 3], either[:, 2], mirrored)


def _eight_ways(pictures: Pictures, chosen: NDArray[np.intp], threads: int) -> list[NDArray[np.float32]]:
    """Return the features of these pictures in each of the eight ways, mirrored ones last."""
    encoder = load_encoder(ENCODER, cut=CUT[-1:], threads=threads)
    ways: list[list[NDArray[np.float32]]] = [[] for _ in range(8)]
    for start in range(0, len(chosen), AT_ONCE):
        batch = pictures.batch(chosen[start : start + AT_ONCE])
        small = np.stack(
            [small_canvas(scan, head)[0] for scan, head in zip(batch.pixels, batch.foreground, strict=True)]
        )
        for way, features in enumerate(ways):
            features.append(bands_of(encoder(_taken(small, way))[-1]))
    return [np.concatenate(features) for features in ways]


def _taken(pictures: Image, way: int) -> Image:
    mirrored = pictures[..., ::-1] if way >= 4 else pictures
    return np.ascontiguousarray(np.rot90(mirrored, way % 4, (1, 2)))
