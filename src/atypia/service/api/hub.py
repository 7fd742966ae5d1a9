"""One reader of the table of events for a whole server, which tells all pages that listen.

Events come from the table and not from this process, so that several servers on one database all tell of
everything. Numbers rise in the order in which transactions end (see `store.events`), so none is passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event as Flag

from anyio.to_thread import run_sync
from structlog import get_logger

EVERY_S = 0.25
"""How often the table is looked at while anybody listens."""
WAITING = 2000
"""How far a listener may be behind; one that is further is sent away, and comes back for what it missed."""
LISTENERS = 1000
_log = get_logger(__name__)


@dataclass(frozen=True)
class Told:
    """An event as pages get it: its number, kind, subject, the job that it is of, and JSON of the subject.

    `ends` where it says that its job has ended.
    """

    number: int
    kind: str
    subject: str
    job: str | None
    data: str
    ends: bool = False


Read = Callable[[int], list[Told]]


@dataclass(eq=False)
class Listener:
    """One who is told; `queue` has what came, None where the stream is to end. `job` None is told of all."""

    job: str | None = None
    queue: asyncio.Queue[Told | None] = field(default_factory=lambda: asyncio.Queue(WAITING + 1))

    def tell(self, told: Told) -> bool:
        """Tell what is for it; return False where it is too far behind."""
        if self.job is not None and told.job != self.job:
            return True
        if self.queue.qsize() >= WAITING:
            return False
        self.queue.put_nowait(told)
        return True

    def end(self) -> None:
        """Have its stream end."""
        with suppress(asyncio.QueueFull):
            self.queue.put_nowait(None)


class Hub:
    """Reads the events while anybody listens, and not else; `read` gives those after a number."""

    def __init__(self, read: Read, latest: Callable[[], int], every_s: float = EVERY_S) -> None:
        self._read, self._latest, self._every_s = read, latest, every_s
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopped = Flag()
        self.last = 0

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def stopped(self) -> bool:
        """Whether all streams are to end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End all streams soon, for good; may be called from any thread, or a signal's handler."""
        self._stopped.set()

    async def join(self, job: str | None = None) -> Listener:
        """Listen from now on; `last` is then the number of the last event that is not told any more."""
        listener = Listener(job)
        if self._task is None or self._task.done():
            last = await run_sync(self._latest)
            if self._task is None or self._task.done():  # nobody else began meanwhile
                self.last, self._task = last, asyncio.create_task(self._run())
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        self._listeners.discard(listener)

    async def _run(self) -> None:
        idle = 0
        while not self.stopped and idle < 2:
            await asyncio.sleep(self._every_s)
            if not self._listeners:
                idle += 1
                continue
            idle = 0
            try:
                found = await run_sync(self._read, self.last)
            except Exception as error:  # as a database that is away: pages wait, and are told later
                _log.warning("events.unreadable", kind=type(error).__name__)
                continue
            for told in found:
                self._tell(told)
        self._task = None
        for listener in list(self._listeners) if self.stopped else ():
            listener.end()

    def _tell(self, told: Told) -> None:
        self.last = max(self.last, told.number)
        for listener in list(self._listeners):
            if not listener.tell(told):
                self.leave(listener)
                listener.end()
