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
        return sum(one.process is not None and one.process.is_alive() for one in self._places)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that run."""
        return [
            one.process.pid
            for one in self._places
            if one.process is not None and one.process.pid is not None and one.process.is_alive()
        ]

    def start(self) -> None:
        """Start the workers."""
        self._thread.start()

    def wake(self) -> None:
        """Tell the workers that something waits."""
        for waker in self._wakers:
            with suppress(ValueError):  # it was told already
                waker.release()

    def stop(self) -> None:
        """Let the workers give back what they have begun, and end them, within GRACE_SECONDS."""
        self._stop.set()
        self._thread.join()
        running = [one for one in self._places if one.process is not None]
        for one in running:
            if one.process is not None:
                one.process.terminate()
        self.wake()
        until = time.monotonic() + GRACE_SECONDS
        for one in running:
            if one.process is not None:
                one.process.join(max(0.0, until - time.monotonic()))
                if one.process.is_alive():
                    one.process.kill()
                    one.process.join()
                self._give_back(one.owner)

    def _watch(self) -> None:
        while not self._stop.is_set():
            for one in self._places:
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
        if one.process is None and moment >= one.again:
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

    def _give_back(self, owner: str) -> None:
        try:
            with self._store.write() as session:
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


def workers_of(settings: Settings) -> int:
    """Return how many workers there are to be: as many as have `threads` processors each, at least one."""
    if settings.workers is not None:
        return settings.workers
    return max(1, usable() // (settings.threads or usable()))


def threads_of(settings: Settings) -> int:
    """Return how many threads each worker has: those asked for, else its share of the processors."""
    return settings.threads or max(1, usable() // workers_of(settings))
