"""How many processors there are, how a job shares them, and linear algebra that keeps to one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from threadpoolctl import threadpool_limits

MOST_WORKERS = 8


@dataclass(frozen=True)
class Share:
    """`workers` scans or batches at once, each with `threads` threads of a network."""

    workers: int
    threads: int


def usable() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shared(threads: int | None) -> Share:
    """Share so many threads, None for all processors, among at most 8 workers; never more in all.

    >>> shared(2), shared(12), shared(1)
    (Share(workers=2, threads=1), Share(workers=6, threads=2), Share(workers=1, threads=1))
    """
    count = usable() if threads is None else threads
    each = -(-count // MOST_WORKERS)
    return Share(count // each, each)


_HELD = Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's linear algebra run in the thread that asks for it, in the whole process, for a while.

    Threads of its own wait for each other by turning in circles, which takes the processors from the threads
    that read scans and run networks. Of contexts that overlap the first alone has an effect: some builds of
    OpenBLAS obey the main thread only, and the bound must be lifted where it was set.
    """
    if not _HELD.acquire(blocking=False):
        yield
        return
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        _HELD.release()
