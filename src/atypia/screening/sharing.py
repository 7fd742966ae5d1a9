"""How many processes judge the shards of a job, and how many threads each of them gets."""

from __future__ import annotations

from collections.abc import Sequence

from atypia.onnx_session import CUDA, device
from atypia.processors import MEMORY_EACH, memory, usable
from atypia.screening.plan import SHARD, Shard

THREADS = 2
"""Threads of each process: two keep the networks of most Screeners busy with half of the memory."""


def threads_of_each(
    processes: int | None, threads: int | None, left: Sequence[Shard], *, known: bool = True
) -> tuple[int, ...]:
    """Return the threads of each process that is to judge; of none, this one is to do so alone.

    `processes` of None are as many as pay: one where 1024 scans or fewer are left, where a GPU computes, and
    where no file of the Screener is `known`; else one for two threads, if there is memory for so many.
    There are never more than shards that are left, nor than `threads`.

    >>> shards = [Shard(number, 256 * number, 256 * number + 256, 0) for number in range(8)]
    >>> threads_of_each(2, 5, shards), threads_of_each(3, 3, shards[:2]), threads_of_each(None, 1, shards)
    ((3, 2), (2, 1), ())
    """
    if processes is None:
        processes = _that_pay(threads, left) if known else 1
    count = min(processes, len(left), threads or processes)
    if count < 2:
        return ()
    each, more = divmod(max(usable(), count) if threads is None else threads, count)
    return tuple(each + (number < more) for number in range(count))


def _that_pay(threads: int | None, left: Sequence[Shard]) -> int:
    if sum(map(len, left)) <= SHARD or device() == CUDA:
        return 1
    return max(1, min((threads or usable()) // THREADS, memory() // MEMORY_EACH))
