"""How many scans are parted into shards, each of which is judged and kept as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atypia.reading.row import Row
from atypia.writing.volume_gathering import volume_of

SHARD = 1024
"""Scans in a shard: a multiple of those that a detector scores at once."""


@dataclass(frozen=True)
class Shard:
    """The rows from `start` up to `stop` of a collection; `before` is the number of volumes before them."""

    number: int
    start: int
    stop: int
    before: int

    def __len__(self) -> int:
        return self.stop - self.start


def shards_of(rows: Sequence[Row], size: int = SHARD) -> tuple[list[Shard], int]:
    """Part rows into shards of `size`, the last one smaller, and return them with the number of volumes.

    A volume is never split: a shard ends where the one that it would end in does. There is always one shard.
    """
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
