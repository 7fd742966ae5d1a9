"""Work on many items in threads, with the results in the order of the items and bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """Yield `work(item)` of every item, in order, done in `workers` threads.

    At most `ahead` items, at least one, are taken, worked on, or done and waiting for their turn, so that the
    items may be endless. What `work` or the items raise is raised in its turn. Where the reader leaves early
    or something is raised, what waits is not begun. What was begun is waited for, unless the reader left.
    """
    with _pool(workers) as pool:
        yield from queued(work, items, pool, ahead=ahead)


def queued(
    work: Callable[[Item], Result], items: Iterable[Item], pool: Executor | None, *, ahead: int
) -> Iterator[Result]:
    """Do the same with the threads of a pool, which others may use too; None works in the caller's own.

    The items may themselves come from the same pool: the caller waits for them, and no thread of it.
    """
    if pool is None:
        for item in items:
            yield work(item)
        return
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def threads(workers: int) -> Iterator[Executor | None]:
    """Give a pool of so many threads, None for one.

    At the end what was begun is waited for, but not where a generator that uses the pool is closed.
    """
    if workers < 2:
        yield None
        return
    with _pool(workers) as pool:
        yield pool


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    pool, waits = ThreadPoolExecutor(workers), True
    try:
        yield pool
    except GeneratorExit:
        # The garbage collector closes forgotten generators in whatever thread it runs, also in one that is
        # about to begin or to end: to wait for threads there may be to wait for oneself.
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)
