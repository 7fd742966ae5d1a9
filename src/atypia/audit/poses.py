"""Which pictures of a set are turned, upside down or mirrored, by how their fellows lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from atypia.audit.first_look import Pictures
from atypia.fitness.canvas import SIDE as CANVAS
from atypia.fitness.canvas import small_canvas
from atypia.progress import progress
from atypia.scan import Image

SIDE = 28
BLUR = 2.5
MOST, NEAREST = 1500, 5
AT_ONCE = 64
LAID_RIGHT = 1 / 1.2
"""A picture is named where its fellows are nearer than this share of their distance once it is laid right."""

Way = Callable[[Image], Image]


def _turned(many: Image, quarters: int, step: int) -> Image:
    return np.rot90(many, quarters, (1, 2))[..., ::step]


WAYS: dict[str, tuple[Way, ...]] = {
    "turned": tuple(partial(_turned, quarters=n, step=step) for n in (1, 3) for step in (1, -1)),
    "upside down": (lambda many: many[:, ::-1], lambda many: many[:, ::-1, ::-1]),
    "mirrored": (lambda many: many[..., ::-1],),
}
"""How pictures (N, S, S) of each supposed pose are laid right."""


@dataclass(frozen=True)
class Posed:
    """A picture, by its place, that lies otherwise than its fellows: how, and by how much they are nearer.

    `gain` is their distance to it laid right, by that as it is given: below LAID_RIGHT.
    """

    place: int
    kind: str
    gain: float


def find_posed(pictures: Pictures, clusters: NDArray[np.intp], *, seed: int) -> Iterator[Posed]:
    """Yield the pictures (N) that lie better among their fellows turned, upside down or mirrored.

    Compared are thumbnails without what varies slowly: one minus their correlation, on average over the five
    nearest of up to 1500 pictures, one of each other cluster drawn at random. What is the same after a turn
    or in a mirror, as the brain nearly is from left to right, can not be told.
    """
    _, first = np.unique(clusters, return_index=True)
    chosen = np.sort(np.random.default_rng((seed, 13)).permutation(first)[:MOST])
    fellows, own = _unit(_thumbnails(pictures, chosen)), clusters[chosen]
    starts = range(0, len(pictures), AT_ONCE)
    for start in progress(starts, total=len(starts), label="looking at poses", unit="batch"):
        places = np.arange(start, min(start + AT_ONCE, len(pictures)))
        shown, barred = _thumbnails(pictures, places), clusters[places][:, None] == own
        given = _distances(shown, fellows, barred)
        gains = {
            kind: np.min([_distances(way(shown), fellows, barred) for way in ways], axis=0) / given
            for kind, ways in WAYS.items()
        }
        for n, place in enumerate(places.tolist()):
            kind = min(gains, key=lambda name: gains[name][n])
            if gains[kind][n] <= LAID_RIGHT:
                yield Posed(place, kind, float(gains[kind][n]))


def _distances(shown: Image, fellows: Image, barred: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the mean distance (N,) to the nearest fellows, those of the own cluster left out."""
    distances = np.where(barred, np.float32(2), 1 - _unit(shown) @ fellows.T)
    nearest = min(NEAREST, distances.shape[1]) - 1
    return np.asarray(np.maximum(np.partition(distances, nearest, 1)[:, : nearest + 1].mean(1), 1e-6))


def _thumbnails(pictures: Pictures, places: NDArray[np.intp]) -> Image:
    """Return pictures small (N, SIDE, SIDE), without what varies slowly over them."""
    parts = []
    for start in range(0, len(places), AT_ONCE):
        batch = pictures.batch(places[start : start + AT_ONCE])
        pairs = zip(batch.pixels, batch.foreground, strict=True)
        canvases = np.stack([small_canvas(scan, head)[0] for scan, head in pairs])
        step = CANVAS // SIDE
        small = canvases.reshape(-1, SIDE, step, SIDE, step).mean((2, 4))
        parts.append(small - gaussian_filter(small, (0, BLUR, BLUR)))
    return np.concatenate(parts)


def _unit(thumbnails: Image) -> NDArray[np.float32]:
    """Return unit vectors (N, SIDE * SIDE) of mean 0."""
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6), np.float32)
