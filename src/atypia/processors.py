"""How many processors there are and how much memory, how a job shares them, and linear algebra in one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, current_thread, main_thread

from threadpoolctl import threadpool_limits

MOST_WORKERS = 8
MEMORY_EACH = 2 << 30
"""Bytes of memory for each process that computes: scoring with small networks takes a third of it."""

_UNKNOWN = 4 << 30


@dataclass(frozen=True)
class Share:
    """`workers` scans or batches at once, each with `threads` threads of a network."""

    workers: int
    threads: int


def usable() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Return how many bytes of memory this process may use: those of the machine, or of its container.

    Where the system does not tell it is taken for 4 GiB.
    """
    if sys.platform == "win32":
        return _UNKNOWN
    bounds = [_UNKNOWN]
    with suppress(ValueError, OSError):
        bounds = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return min(bounds + _bounds_of_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))


def _bounds_of_groups(told: Path, root: Path) -> list[int]:
    """Return the bounds that Linux sets to the groups which this process is in, of either version."""
    bounds = []
    with suppress(OSError):
        for line in told.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            top, name = (root / "memory", "memory.limit_in_bytes") if kinds else (root, "memory.max")
            if kinds and "memory" not in kinds.split(","):
                continue
            here = top / path.lstrip("/")
            for folder in (here, *here.parents):
                with suppress(OSError, ValueError):
                    bounds.append(int((folder / name).read_text()))  # "max" is none
                if folder == top:
                    break
    return bounds


def shared(threads: int | None) -> Share:
    """Share so many threads, None for all processors, among at most 8 workers; never more in all.

    >>> shared(2), shared(12), shared(1)
    (Share(workers=2, threads=1), Share(workers=6, threads=2), Share(workers=1, threads=1))
    """
    count = usable() if threads is None else threads
    each = -(-count // MOST_WORKERS)
    return Share(count // each, each)


class _Bound:
    """The bound on linear algebra, and how many hold it; only the main thread can lift it everywhere."""

    def __init__(self) -> None:
        self._lock, self._holders, self._limits = RLock(), 0, ExitStack()
        self._bound = False

    def hold(self) -> None:
        with self._lock:
            self._holders += 1
            if self._holders > 1:
                return
            limits = threadpool_limits(1, user_api="blas")
            if not self._bound:  # else what was before is remembered already
                self._limits.enter_context(limits)
                self._bound = True

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and current_thread() is main_thread():
                self._limits.close()
                self._bound = False


_BOUND = _Bound()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's linear algebra run in the thread that asks for it, in the whole process, for a while.

    Threads of its own wait for each other by turning in circles, which takes the processors from the threads
    that read scans and run networks; and sums by several threads may differ in the last digit. Where contexts
    overlap, the bound is lifted with the last. Some builds of OpenBLAS obey the main thread only: where
    another thread ends last, the bound stays until the main thread's next one ends.
    """
    _BOUND.hold()
    try:
        yield
    finally:
        _BOUND.let_go()
