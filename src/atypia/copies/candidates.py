"""Pairs of pictures whose descriptors lie near in any of the eight poses, found by a k-d tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from atypia.copies.descriptor import Descriptor, Numbers
from atypia.copies.pose import INVERSE, POSES
from atypia.progress import progress

BLOCK = 2000
# How many of the nearest are looked at: in each pose, and then for each picture over all poses.
NEAREST = 12
KEPT = 24
# A branch of the tree is passed over if it can better what was found by less than half: copies are nearer
# than that, and the search is ten times as fast.
SLACK = 1.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs (N,) of places, first < second, nearest first, and the pose in which the first is near."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    pose: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.first)

    def at(self, places: NDArray[np.integer]) -> Candidates:
        """Return the same pairs, each place looked up in a list of places that grow."""
        first, second = (places[column].astype(np.int32) for column in (self.first, self.second))
        return Candidates(first, second, self.pose)


def find_candidates(waves: Numbers, descriptor: Descriptor, *, workers: int = 2) -> Candidates:
    """Return the pairs worth a closer look, each once in a pose; of a picture there are at most KEPT."""
    tree = scipy.spatial.KDTree(descriptor(waves))
    blocks = [slice(start, start + BLOCK) for start in range(0, len(waves), BLOCK)]
    shown = progress(blocks, total=len(blocks), label="comparing pictures", unit="block")
    parts = [_near(waves, descriptor, tree, block, workers) for block in shown]
    first, second, pose, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((pose, second, first, distance))
    key = (first[order].astype(np.int64) * len(waves) + second[order]) * len(POSES) + pose[order]
    _, once = np.unique(key, return_index=True)
    order = order[np.sort(once)]
    return Candidates(first[order], second[order], pose[order])


def _near(
    waves: Numbers, descriptor: Descriptor, tree: scipy.spatial.KDTree, block: slice, workers: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8], Numbers]:
    count = min(NEAREST + 1, tree.n)
    found = [
        tree.query(
            descriptor(waves[block], pose),
            k=np.arange(1, count + 1),
            eps=SLACK,
            distance_upper_bound=descriptor.radius,
            workers=workers,
        )
        for pose in range(len(POSES))
    ]
    distance = np.concatenate([near for near, _ in found], 1).astype(np.float32)
    other = np.concatenate([places for _, places in found], 1)
    here = np.arange(block.start, block.start + len(other))[:, None]
    distance[other == here] = np.inf
    best = np.argsort(distance, axis=1, kind="stable")[:, : KEPT + 1]
    distance, other = np.take_along_axis(distance, best, 1), np.take_along_axis(other, best, 1)
    pose = (best // count).astype(np.int8)
    kept = np.isfinite(distance)
    here = np.broadcast_to(here, kept.shape)[kept]
    other, pose = other[kept], pose[kept]
    swapped = here > other
    pose = np.where(swapped, INVERSE[pose], pose).astype(np.int8)
    first, second = np.minimum(here, other), np.maximum(here, other)
    return first.astype(np.int32), second.astype(np.int32), pose, distance[kept]
