"""A worker: takes jobs while there are any, judges them, and ends each in one transaction."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from atypia.errors import ArtefactError, AtypiaError
from atypia.service.home import Home
from atypia.service.node.deliveries import enqueue_results
from atypia.service.settings import Settings
from atypia.service.store import queue
from atypia.service.store.database import Store
from atypia.service.store.models import File, Finding, Instance, Job
from atypia.service.work.held import Held, Holding
from atypia.service.work.lease import Lease
from atypia.service.work.material import FileOfJob, JobOfWork
from atypia.service.work.settling import settle
from atypia.service.work.sitting import Outcome, Sitting
from atypia.service.work.words import is_full, of_job

_EVERY_SECONDS = 0.5
_TOGETHER_SECONDS = 30.0
"""So long a worker goes on taking jobs that are like those it is at."""
_NO_ROOM = 2**20
_FULL_SECONDS = 30.0
"""So long a job waits that met a full disk."""
_log = structlog.get_logger("atypia.worker")


class Worker:
    """Judges the jobs of a store; `owner` names it in the queue.

    `stop` is set to let it end: what it has begun goes back to the queue. `idle` is set while it judges
    nothing.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        home: Home,
        owner: str | None = None,
        threads: int | None = None,
    ) -> None:
        self._settings, self._store, self._home = settings, store, home
        self.owner = owner or uuid4().hex
        self.held = Held(settings, home, threads or settings.threads)
        self.stop = threading.Event()
        self.idle = threading.Event()
        self.idle.set()
        self._owed = set[str]()
        self._full = False

    def drain(self) -> int:
        """Judge until nothing waits, and return how many jobs that were."""
        count = 0
        while not self.stop.is_set() and (done := self.once()):
            count += done
        return count

    def once(self) -> int:
        """Take jobs, where any wait, and end them; return how many.

        While they are judged more that are like them are taken, so that no processor waits between them.
        """
        self._give_back_owed()
        claimed = self._claimed() if self._has_room() else None
        if claimed is None:
            return 0
        self.idle.clear()
        try:
            with Lease(self._store, self._settings, self.owner, [job.id for job in claimed.jobs]) as lease:
                return self._sit(claimed, lease)
        finally:
            self.idle.set()

    def give_all_back(self) -> None:
        """Give back all that this worker holds, untried; what it finds counts no more."""
        with suppress(SQLAlchemyError, AtypiaError, OSError), self._store.write() as session:
            queue.give_back(session, self.owner)

    def _give_back_owed(self) -> None:
        """Give back what could not be given back when it went wrong, as where the database was full."""
        if self._owed:
            with self._store.write() as session:
                queue.release(session, self.owner, self._owed, tried=True)
            self._owed.clear()

    def _has_room(self) -> bool:
        """Tell whether the disk has room to judge anything."""
        room = self._home.free_bytes() >= self._settings.limits.work_bytes
        if room == self._full:
            self._full = not room
            _log.warning("room on the disk again" if room else "the disk is full: jobs wait")
        return room

    def _claimed(self, like: queue.Alike | None = None) -> _Claimed | None:
        lease, tries = self._settings.lease_seconds, self._settings.tries
        with self._store.write() as session:
            jobs = queue.claim(session, self.owner, lease, tries=tries, like=like)
            if not jobs:
                return None
            return _Claimed(_as_work(jobs, session), queue.screener_of(session, jobs[0]))

    def _following(self, claimed: _Claimed, lease: Lease, left: dict[str, JobOfWork]) -> Iterator[JobOfWork]:
        """Yield what was claimed, then more that is alike, while it waits, but not without end."""
        yield from list(claimed.jobs)
        like, until = claimed.alike, time.monotonic() + _TOGETHER_SECONDS
        while like is not None and not self.stop.is_set() and time.monotonic() < until:
            try:
                more = self._claimed(like)
            except (SQLAlchemyError, AtypiaError) as error:
                _log.warning("no more taken", error=type(error).__name__)
                return
            if more is None:
                return
            claimed.jobs.extend(more.jobs)
            left.update({job.id: job for job in more.jobs})
            lease.take(job.id for job in more.jobs)
            yield from more.jobs

    def _sit(self, claimed: _Claimed, lease: Lease) -> int:
        """Judge what was claimed, and what follows; return how many jobs that were."""
        started, left = time.perf_counter(), {job.id: job for job in claimed.jobs}
        try:
            holding = self.held.get(*claimed.screener)
            with self._home.scratch() as folder:
                self._judge(self._following(claimed, lease, left), holding, folder, lease, left)
        except _Stopped:
            with self._store.write() as session:
                queue.release(session, self.owner, left)
        except Exception as error:
            self._owed |= left.keys()
            self._give_up(list(left.values()), error)
            self._owed -= left.keys()
        _log.info("judged", jobs=len(claimed.jobs), seconds=round(time.perf_counter() - started, 3))
        return len(claimed.jobs)

    def _judge(
        self,
        jobs: Iterable[JobOfWork],
        holding: Holding,
        folder: Path,
        lease: Lease,
        left: dict[str, JobOfWork],
    ) -> None:
        sitting = Sitting(self._settings, self._home, holding, folder, lease.holds)
        shown, ended = time.monotonic(), list[Outcome]()
        for outcome in sitting.judged(jobs):
            if self.stop.is_set():
                raise _Stopped
            if not outcome.left:
                ended.append(outcome)
            if time.monotonic() - shown > _EVERY_SECONDS:
                shown = time.monotonic()
                self._end(ended, sitting, left)
                lease.let_go(one.job.id for one in ended)
                ended = []
                if outcome.left:
                    self._show(outcome)
        self._end(ended, sitting, left)

    def _show(self, outcome: Outcome) -> None:
        try:
            with self._store.write() as session:
                done = outcome.total - outcome.left
                queue.progressed(session, self.owner, outcome.job.id, done, outcome.total)
        except queue.Lost:
            return  # its lease tells of it

    def _end(self, outcomes: Sequence[Outcome], sitting: Sitting, left: dict[str, JobOfWork]) -> None:
        """Put the files of findings in their place and end the jobs, in one transaction; else none stays."""
        placed: dict[str, list[Path]] = {}
        if not outcomes:
            return
        for outcome in outcomes:
            if outcome.failed is None:
                placed[outcome.job.id] = self._placed(outcome, sitting)
        try:
            settle(place for places in placed.values() for place in places)
            with self._store.write() as session:
                ended = self._ended(session, outcomes)
            lost = placed.keys() - ended
        except BaseException:
            lost = set(placed)
            raise
        finally:
            for place in (place for job in lost for place in placed.get(job, ())):
                self._home.discard(place)
        for outcome in outcomes:
            left.pop(outcome.job.id, None)

    def _placed(self, outcome: Outcome, sitting: Sitting) -> list[Path]:
        places: list[Path] = []
        try:
            for finding in outcome.findings:
                folder = sitting.folder_of(finding)
                if folder.is_dir():
                    os.utime(folder)  # or it might be swept before the transaction ends
                    places.append(self._home.findings(finding.id))
                    folder.rename(places[-1])
        except OSError as error:
            outcome.failed = error
            for place in places:
                self._home.discard(place)
            return []
        return places

    def _ended(self, session: Session, outcomes: Iterable[Outcome]) -> set[str]:
        """End jobs; return those that were still ours, and are done."""
        found: dict[str, list[Finding]] = {}
        for outcome in outcomes:
            if outcome.failed is None:
                found[outcome.job.id] = outcome.findings
                continue
            with suppress(queue.Lost):
                self._failed(session, outcome.job.id, outcome.failed)
        done = queue.finish_all(session, self.owner, found)
        for job in done.values():
            enqueue_results(session, job, self._settings)
        return set(done)

    def _give_up(self, jobs: Sequence[JobOfWork], error: Exception) -> None:
        """Let one job fail by what was raised; several go back, to be judged each by itself."""
        told = isinstance(error, AtypiaError | OSError | MemoryError)
        _log.error(
            "failed", jobs=len(jobs), error=type(error).__name__, where=None if told else _where(error)
        )
        if isinstance(error, ArtefactError) or len(jobs) == 1:
            for job in jobs:
                self._fail(job, error)
            return
        with self._store.write() as session:
            queue.release(session, self.owner, [job.id for job in jobs], tried=True)

    def _fail(self, job: JobOfWork, error: BaseException) -> None:
        try:
            with self._store.write() as session:
                self._failed(session, job.id, error)
        except queue.Lost:
            return

    def _failed(self, session: Session, job: str, error: BaseException) -> None:
        """Fail a job, or, where the disk is full, let it wait; raise Lost."""
        least = max(_NO_ROOM, self._settings.limits.work_bytes)
        if isinstance(error, OSError) and self._home.free_bytes() < least:
            error = OSError(errno.ENOSPC, "no room")  # libraries tell of it in their own words
        if is_full(error):
            queue.put_off(session, self.owner, job, self._told(error), self._settings.tries, _FULL_SECONDS)
        else:
            queue.fail(session, self.owner, job, self._told(error))

    def _told(self, error: BaseException) -> str:
        words = str(error) if isinstance(error, ArtefactError) else of_job(error)
        return words.replace(str(self._home.path), "the server")


@dataclass(frozen=True)
class _Claimed:
    """Jobs that were claimed together, and identifier, hash and name of their Screener."""

    jobs: list[JobOfWork]
    screener: tuple[str, str, str]

    @property
    def alike(self) -> queue.Alike | None:
        """What others must be like to be judged with them; None where they are judged alone."""
        first = self.jobs[0]
        if not first.weight or first.attempts > 1:
            return None
        return queue.Alike(first.screener, first.judge_all)


class _Stopped(Exception):
    """The worker is to end before its jobs have."""


def _where(error: BaseException) -> str:
    """Return where an error was raised, without its words, which may quote what was read."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _as_work(jobs: Sequence[Job], session: Session) -> list[JobOfWork]:
    asked = select(File).where(File.job.in_([job.id for job in jobs])).order_by(File.job, File.index)
    files = {job: tuple(rows) for job, rows in groupby(session.scalars(asked), key=attrgetter("job"))}
    return [
        JobOfWork(
            id=job.id,
            kind=job.kind,
            label=job.label,
            screener=job.screener,
            study=job.study,
            path=job.path,
            options=dict(job.options),
            attempts=job.attempts,
            weight=job.weight,
            files=tuple(
                FileOfJob(f.index, f.kind, f.sha256, f.suffix, f.name) for f in files.get(job.id, ())
            ),
            instances=_instances(job, session),
        )
        for job in jobs
    ]


def _instances(job: Job, session: Session) -> tuple[str, ...]:
    if job.study is None:
        return ()
    asked = select(Instance.file).where(Instance.study == job.study).order_by(Instance.id)
    return tuple(session.scalars(asked))
