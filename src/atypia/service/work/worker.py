"""A worker: takes jobs while there are any, judges them, and ends each in one transaction."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from atypia.service.store.models import File, Instance, Job
from atypia.service.work.held import Held, Holding
from atypia.service.work.lease import Lease
from atypia.service.work.material import FileOfJob, JobOfWork
from atypia.service.work.settling import settle
from atypia.service.work.sitting import Outcome, Sitting
from atypia.service.work.words import of_job

_EVERY_SECONDS = 0.5
_TOGETHER_SECONDS = 30.0
"""So long a worker goes on taking jobs that are like those it is at."""
_NO_ROOM = 2**20
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
        self.held = Held(home, threads or settings.threads)
        self.stop = threading.Event()
        self.idle = threading.Event()
        self.idle.set()

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
        claimed = self._claimed()
        if claimed is None:
            return 0
        self.idle.clear()
        try:
            with Lease(self._store, self._settings, self.owner, [job.id for job in claimed.jobs]) as lease:
                return self._sit(claimed, lease)
        finally:
            self.idle.set()

    def _claimed(self, like: queue.Alike | None = None) -> _Claimed | None:
        lease, tries = self._settings.lease_seconds, self._settings.tries
        with self._store.write() as session:
            jobs = queue.claim(session, self.owner, lease, tries=tries, like=like)
            if not jobs:
                return None
            row = queue.screener_of(session, jobs[0])
            told = [_as_work(job, session) for job in jobs]
            return _Claimed(told, (row.id, row.sha256, row.name))

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
            self._give_up(list(left.values()), error)
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
                lost = [one.job.id for one in outcomes if not self._ended(session, one)]
        except BaseException:
            lost = list(placed)
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
        return places

    def _ended(self, session: Session, outcome: Outcome) -> bool:
        """End a job; tell whether it was still ours, and done."""
        try:
            if outcome.failed is not None:
                queue.fail(session, self.owner, outcome.job.id, self._told(outcome.failed))
                return False
            job = queue.finish(session, self.owner, outcome.job.id, outcome.findings)
        except queue.Lost:
            return False
        enqueue_results(session, job, self._settings)
        return True

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
                queue.fail(session, self.owner, job.id, self._told(error))
        except queue.Lost:
            return

    def _told(self, error: BaseException) -> str:
        if (
            isinstance(error, OSError) and self._home.free_bytes() < _NO_ROOM
        ):  # libraries tell of it in own words
            error = OSError(errno.ENOSPC, "no room")
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


def _as_work(job: Job, session: Session) -> JobOfWork:
    files = session.scalars(select(File).where(File.job == job.id).order_by(File.index)).all()
    instances = (
        session.scalars(select(Instance.file).where(Instance.study == job.study).order_by(Instance.id)).all()
        if job.study is not None
        else ()
    )
    return JobOfWork(
        id=job.id,
        kind=job.kind,
        label=job.label,
        screener=job.screener,
        study=job.study,
        path=job.path,
        options=dict(job.options),
        attempts=job.attempts,
        weight=job.weight,
        files=tuple(FileOfJob(f.index, f.kind, f.sha256, f.suffix, f.name) for f in files),
        instances=tuple(instances),
    )
