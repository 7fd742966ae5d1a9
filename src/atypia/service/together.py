"""Things that wait for the same, done together: so that many at once take one transaction, not one each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
Done = TypeVar("Done")


class Together(Generic[Thing, Done]):
    """Does things in the threads of an executor, all that wait when a thread is free in one call of `work`.

    `work` gives for each thing what came of it, in order; it gets at most `most` at once. What it raises is
    raised for each of them.
    """

    def __init__(
        self, executor: Executor, work: Callable[[Sequence[Thing]], Sequence[Done]], most: int = 64
    ) -> None:
        self._executor, self._work, self._most = executor, work, most
        self._waiting: list[tuple[Thing, Future[Done]]] = []
        self._lock = Lock()

    def submit(self, thing: Thing) -> Future[Done]:
        """Have a thing done."""
        future: Future[Done] = Future()
        with self._lock:
            self._waiting.append((thing, future))
        self._executor.submit(self._do)
        return future

    def _do(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        taken = [(thing, future) for thing, future in taken if future.set_running_or_notify_cancel()]
        if not taken:
            return
        try:
            done = list(zip(taken, self._work([thing for thing, _ in taken]), strict=True))
        except BaseException as error:
            for _, future in taken:
                future.set_exception(error)
            return
        for (_, future), result in done:
            future.set_result(result)
