"""Work on many items in threads, with the results in the order of the items and bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """Yield `work(item)` of every item, in order, done in `workers` threads.

    At most `ahead` items, at least one, are taken, worked on, or done and waiting for their turn, so that the
    items may be endless. What `work` or the items raise is raised in its turn. Where the reader leaves early
    or something is raised, what waits is not begun, and what was begun is waited for.
    """
    with ThreadPoolExecutor(workers) as pool:
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
