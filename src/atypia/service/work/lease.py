"""The hold of a worker on its jobs, renewed in a thread of its own while they are judged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from atypia.errors import AtypiaError
from atypia.service.settings import Settings
from atypia.service.store import queue
from atypia.service.store.database import Store

TOO_LONG = 70
"""The exit code of a worker whose job took too long."""
_log = structlog.get_logger("atypia.worker")


class Lease:
    """Renews the leases of jobs while its block runs, and knows which are lost; ends a process that hangs."""

    def __init__(self, store: Store, settings: Settings, owner: str, jobs: Iterable[str]) -> None:
        self._store, self._settings, self._owner = store, settings, owner
        self._jobs = list(jobs)
        self._mine = set(self._jobs)
        self._turn = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def take(self, jobs: Iterable[str]) -> None:
        """Hold more jobs, which were just claimed."""
        more = list(jobs)
        with self._turn:
            self._jobs += more
            self._mine |= set(more)

    def let_go(self, jobs: Iterable[str]) -> None:
        """Hold these no longer: they have ended."""
        gone = set(jobs)
        with self._turn:
            self._jobs = [job for job in self._jobs if job not in gone]
            self._mine -= gone

    def holds(self, job: str) -> bool:
        """Tell whether a job was still ours when that was last asked."""
        return job in self._mine

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        started = time.monotonic()
        while not self._over.wait(self._settings.lease_seconds / 4):
            if time.monotonic() - started > self._settings.limits.job_seconds:
                self._end_all()
            try:
                self._renew_once()
            except (SQLAlchemyError, AtypiaError) as error:
                _log.warning("lease not renewed", error=type(error).__name__)

    def _renew_once(self) -> None:
        with self._turn:
            held = list(self._jobs)
        with self._store.write() as session:
            mine = queue.heartbeat(session, self._owner, held, self._settings.lease_seconds)
        with self._turn:
            self._mine -= set(held) - mine

    def _end_all(self) -> None:
        """Fail what is judged for too long, and end this process: a thread that hangs cannot be ended."""
        told = f"The job took longer than {self._settings.limits.job_seconds:g} s. Send fewer scans at once."
        for job in self._jobs:
            try:
                with self._store.write() as session:
                    queue.fail(session, self._owner, job, told)
            except (queue.Lost, SQLAlchemyError, AtypiaError):
                continue
        _log.error("took too long", jobs=len(self._jobs))
        os._exit(TOO_LONG)
