"""How many scans are parted into shards, each of which is judged and kept as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atypia.reading.row import Row
from atypia.writing.volume_gathering import volume_of

SHARD = 1024
"""Scans in a shard, at most, unless it is told: a multiple of those that a detector scores at once."""

_LEAST, _PARTS = 256, 64


@dataclass(frozen=True)
class Shard:
    """The rows from `start` up to `stop` of a collection; `before` is the number of volumes before them."""

    number: int
    start: int
    stop: int
    before: int

    def __len__(self) -> int:
        return self.stop - self.start


def usual_size(scans: int) -> int:
    """Return how many of so many scans are to be in a shard: all of a few, else so that many can share them.

    It follows from the number alone, so that whoever shares them makes the same batches.

    >>> [usual_size(scans) for scans in (1000, 1025, 20_000, 100_000)]
    [1024, 256, 304, 1024]
    """
    if scans <= SHARD:
        return SHARD
    return min(SHARD, max(_LEAST, scans // _PARTS // 16 * 16))


def shards_of(rows: Sequence[Row], size: int | None = None) -> tuple[list[Shard], int]:
    """Part rows into shards of `size`, or the usual one, and return them with the number of volumes.

    The last one is smaller.
    A volume is never split: a shard ends where the one that it would end in does. There is always one shard.
    """
    size = size or usual_size(len(rows))
    shards: list[Shard] = []
    start = before = volumes = 0
    now = None
    for place, row in enumerate(rows):
        here = volume_of(row)
        new = here is None or here != now
        if new and place - start >= size:
            shards.append(Shard(len(shards), start, place, before))
            start, before = place, volumes
        volumes += new and here is not None
        now = here
    return [*shards, Shard(len(shards), start, len(rows), before)], volumes
