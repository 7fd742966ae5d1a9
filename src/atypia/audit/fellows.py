"""Whether a picture lies better among its fellows once it is turned: the check on a supposed pose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from atypia.audit.first_look import Pictures
from atypia.fitness.canvas import small_canvas
from atypia.scan import Image

SIDE, STEP = 28, 4
MOST, NEAREST = 1500, 5
AT_ONCE = 64

Way = Callable[[Image], Image]
WAYS: dict[str, tuple[Way, ...]] = {
    "turned": (lambda one: np.rot90(one, 1), lambda one: np.rot90(one, 3)),
    "upside down": (lambda one: one[::-1], lambda one: one[::-1, ::-1]),
    "mirrored": (lambda one: one[:, ::-1],),
}
"""How a picture of each supposed pose is laid right."""


class Fellows:
    """Thumbnails of up to 1500 pictures (N), one of each cluster drawn at random, to compare with."""

    def __init__(self, pictures: Pictures, clusters: NDArray[np.intp], seed: int) -> None:
        _, first = np.unique(clusters, return_index=True)
        chosen = np.sort(np.random.default_rng((seed, 13)).permutation(first)[:MOST])
        parts = [chosen[start : start + AT_ONCE] for start in range(0, len(chosen), AT_ONCE)]
        self._pictures, self._clusters, self._own = pictures, clusters, clusters[chosen]
        self._shown = np.concatenate([_flat(_thumbnails(pictures, part)) for part in parts])

    def gain(self, place: int, kind: str) -> float:
        """Return the distance to the five nearest pictures of other clusters laid right, by that as given.

        The distance is one minus the correlation of thumbnails; below 1 the picture lies better so.
        """
        thumbnail = _thumbnails(self._pictures, np.array([place]))[0]
        others = self._shown[self._own != self._clusters[place]]
        laid = np.stack([thumbnail, *(way(thumbnail) for way in WAYS[kind])])
        distances = np.sort(1 - _flat(laid) @ others.T, axis=1)[:, :NEAREST].mean(1)
        return float(distances[1:].min() / max(distances[0], 1e-6))


def _thumbnails(pictures: Pictures, places: NDArray[np.intp]) -> Image:
    batch = pictures.batch(places)
    small = [small_canvas(scan, head)[0] for scan, head in zip(batch.pixels, batch.foreground, strict=True)]
    return np.asarray(np.stack(small).reshape(-1, SIDE, STEP, SIDE, STEP).mean((2, 4)), np.float32)


def _flat(thumbnails: Image) -> NDArray[np.float32]:
    """Return unit vectors (N, SIDE * SIDE) of mean 0."""
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6), np.float32)
