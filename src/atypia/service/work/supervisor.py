"""Keeps the workers running, puts things in order now and then, and wakes workers when something comes in."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from atypia.errors import AtypiaError
from atypia.processors import usable
from atypia.service.forgetting import forget_old
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import queue
from atypia.service.store.database import Store
from atypia.service.work.order import clear_away, end_and_forget
from atypia.service.work.process import Task, run

GRACE_SECONDS = 6.0
_WATCH_SECONDS, _KILLED_SECONDS = 2.0, 0.5
_LOOK_SECONDS, _END_SECONDS, _CLEAR_SECONDS = 0.2, 5.0, 3600.0
_LONGEST_WAIT = 30.0
_HEALTHY_SECONDS = 30.0
_log = structlog.get_logger("atypia.supervisor")


@dataclass
class _Place:
    """The place of a worker: its process, when it was started, and how often it failed."""

    number: int
    process: SpawnProcess | None = None
    owner: str = ""
    started: float = 0.0
    failures: int = 0
    again: float = 0.0


class Supervisor:
    """Starts `workers` processes and starts anew those that end, ever later where they end at once.

    `wake` tells idle workers that something waits. A thread does the watching; `stop` ends all.
    """

    def __init__(self, settings: Settings, store: Store, home: Home) -> None:
        self._settings, self._store, self._home = settings, store, home
        self._context = multiprocessing.get_context("spawn")
        # Not events: to set one waits for all that wait for it, also for a process that was killed meanwhile.
        self._wakers = [self._context.BoundedSemaphore(1) for _ in range(workers_of(settings))]
        self._places = [_Place(number) for number in range(len(self._wakers))]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._ended, self._cleared = 0.0, time.monotonic()

    @property
    def workers(self) -> int:
        """How many workers there are to be."""
        return len(self._places)

    @property
    def alive(self) -> int:
        """How many workers run."""
        return len(self.pids)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that run."""
        found = []
        for process in [one.process for one in self._places]:
            with suppress(ValueError):  # it ended, and was closed meanwhile
                if process is not None and process.is_alive() and process.pid is not None:
                    found.append(process.pid)
        return found

    def start(self) -> None:
        """Start the workers."""
        self._thread.start()

    def wake(self) -> None:
        """Tell the workers that something waits."""
        for waker in self._wakers:
            with suppress(ValueError):  # it was told already
                waker.release()

    def stop(self) -> None:
        """Let the workers give back what they have begun, and end them, within GRACE_SECONDS.

        Then their jobs are free, where the database takes that; else as soon as a server starts.
        """
        until = time.monotonic() + GRACE_SECONDS
        self._stop.set()
        told = self._tell_to_end(set())
        self._thread.join(_WATCH_SECONDS)  # it may be in the middle of something long
        self._tell_to_end(told)  # one may have been started just then
        self.wake()
        running = [(one.owner, one.process) for one in self._places if one.process is not None]
        for _, process in running:
            _join(process, until - time.monotonic())
        self.kill()
        for _, process in running:
            _join(process, _KILLED_SECONDS)
        self._give_back(*(owner for owner, _ in running))

    def _tell_to_end(self, told: set[SpawnProcess]) -> set[SpawnProcess]:
        """Tell workers to end, but for those that were told."""
        those = {one.process for one in self._places if one.process is not None} - told
        for process in those:
            with suppress(ValueError, OSError):  # it ended, and was closed meanwhile
                process.terminate()
        return those

    def kill(self) -> None:
        """End the workers at once."""
        for process in [one.process for one in self._places]:
            with suppress(ValueError, OSError):
                if process is not None:
                    process.kill()

    def _watch(self) -> None:
        while not self._stop.is_set():
            for one in self._places:
                if self._stop.is_set():
                    return
                try:
                    self._look(one)
                except OSError as error:  # no memory or handle for another process: there may be, later
                    one.again = time.monotonic() + _LONGEST_WAIT
                    _log.error("worker not started", worker=one.number, error=type(error).__name__)
            self._order()
            self._stop.wait(_LOOK_SECONDS)

    def _look(self, one: _Place) -> None:
        moment = time.monotonic()
        if one.process is not None and not one.process.is_alive():
            code = one.process.exitcode
            one.process.close()
            one.process = None
            one.failures = 1 if moment - one.started > _HEALTHY_SECONDS else one.failures + 1
            one.again = moment + min(_LONGEST_WAIT, 0.1 * 2 ** (one.failures - 1))
            _log.warning("worker ended", worker=one.number, code=code, failures=one.failures)
            self._give_back(one.owner)
        if one.process is None and moment >= one.again and not self._stop.is_set():
            self._begin(one)

    def _begin(self, one: _Place) -> None:
        one.owner, one.started = f"{uuid4().hex}-{one.number}", time.monotonic()
        task = Task(self._settings, one.owner, threads_of(self._settings), os.getpid())
        process = self._context.Process(
            target=run, args=(task, self._wakers[one.number]), name=f"atypia-worker-{one.number}", daemon=True
        )
        process.start()
        one.process = process
        _log.info("worker started", worker=one.number)

    def _give_back(self, *owners: str) -> None:
        try:
            with self._store.write() as session:
                for owner in owners:
                    queue.abandoned(session, owner)
        except (SQLAlchemyError, AtypiaError) as error:
            _log.warning("jobs of a worker are free only when their leases end", error=type(error).__name__)
        self.wake()

    def _order(self) -> None:
        moment = time.monotonic()
        try:
            if moment - self._ended > _END_SECONDS:
                self._ended = moment
                end_and_forget(self._settings, self._store)
                self._home.set_aside(self._settings.limits.reserve_bytes)
            if moment - self._cleared > _CLEAR_SECONDS:
                self._cleared = moment
                forget_old(self._settings, self._store, self._home)
                clear_away(self._settings, self._store, self._home)
                self._store.compact(whole=False)
        except (SQLAlchemyError, AtypiaError, OSError) as error:
            _log.warning("not put in order", error=type(error).__name__)


def _join(process: SpawnProcess, seconds: float) -> None:
    with suppress(ValueError):  # it ended, and was closed meanwhile
        process.join(max(0.0, seconds))


def workers_of(settings: Settings) -> int:
    """Return how many workers there are to be: as many as have `threads` processors each, at least one."""
    if settings.workers is not None:
        return settings.workers
    return max(1, usable() // (settings.threads or usable()))


def threads_of(settings: Settings) -> int:
    """Return how many threads each worker has: those asked for, else its share of the processors."""
    return settings.threads or max(1, usable() // workers_of(settings))
