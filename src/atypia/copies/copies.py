"""Finding equal pictures and near-copies in a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from atypia.copies.candidates import find_candidates
from atypia.copies.clusters import Clusters
from atypia.copies.descriptor import learn_descriptor, waves_of
from atypia.copies.pose import POSES
from atypia.copies.thumbnail import Thumbnails, read_thumbnails
from atypia.copies.verification import confirmed, without_chains
from atypia.reading.row import Row


@dataclass(frozen=True)
class CopyPair:
    """Two pictures, by their places, that show the same.

    `kind` is `equal pixels` or `near-copy`; `transform` is what makes the second of the first, one of POSES,
    turned counter-clockwise; `similarity` is the correlation of their details, 1 where they are equal.
    """

    first: int
    second: int
    kind: str
    transform: str
    similarity: float


@dataclass(frozen=True)
class Copies:
    """What was found in some pictures, by their places in the order given.

    `clusters` has a number for each picture, the same for copies, and -1 where it could not be read.
    `pairs` are enough to connect every cluster, not all pairs in it; equal ones come first.
    `unreadable` are the places and the words of what could not be read.
    """

    clusters: tuple[int, ...]
    pairs: tuple[CopyPair, ...]
    unreadable: tuple[tuple[int, str], ...]


def find_copies(rows: Sequence[Row], *, workers: int = 2) -> Copies:
    """Find equal pixels and near-copies: pictures that were encoded anew, resized, cropped, relit or turned.

    Grey pixels are compared, so that a colour picture equals its grey copy. A near-copy may be resized to
    half or twice, cropped by up to 5 % a side, changed in brightness and contrast, turned by quarters and
    mirrored. The neighbouring slices of one volume are no copies unless they can hardly be told apart, and a
    picture of one grey is nobody's copy. JPEG pictures of 1024 pixels a side and more are compared at half
    their size or less.
    The same rows give the same result. An unreadable picture is told and left out; nothing is raised for it.
    """
    thumbnails = read_thumbnails(rows, workers=workers)
    try:
        pairs = [*_equal(thumbnails), *_near(thumbnails, workers)]
    finally:
        thumbnails.large.close()
    clusters = Clusters(len(rows))
    for pair in pairs:
        clusters.join(pair.first, pair.second)
    unreadable = {place for place, _ in thumbnails.errors}
    return Copies(tuple(clusters.numbers(unreadable)), tuple(pairs), thumbnails.errors)


def _equal(thumbnails: Thumbnails) -> list[CopyPair]:
    """Pair every picture with the first one of its digest."""
    first: dict[bytes, int] = {}
    pairs = []
    for place, (digest, flat) in enumerate(zip(thumbnails.digests, thumbnails.flat, strict=True)):
        if not flat and first.setdefault(digest, place) != place:
            pairs.append(CopyPair(first[digest], place, "equal pixels", POSES[0], 1.0))
    return pairs


def _near(thumbnails: Thumbnails, workers: int) -> list[CopyPair]:
    """Pair what a closer look finds alike, of one picture for each digest."""
    once = {digest: place for place, digest in reversed(list(enumerate(thumbnails.digests)))}
    places = np.array(sorted(place for place in once.values() if not thumbnails.flat[place]), np.int64)
    if len(places) < 2:
        return []
    # Small products of matrices, in threads of our own: the library's threads would wait for each other.
    with threadpool_limits(1, "blas"):
        chosen = thumbnails.small[places]
        waves = waves_of(chosen)
        descriptor = learn_descriptor(chosen, waves, np.random.default_rng(0))
        del chosen
        candidates = find_candidates(waves, descriptor, workers=workers).at(places)
        links = confirmed(thumbnails, candidates, len(thumbnails.flat), workers)
        links = without_chains(thumbnails, links, workers)
    return [
        CopyPair(link.first, link.second, "near-copy", POSES[link.pose], link.similarity) for link in links
    ]
