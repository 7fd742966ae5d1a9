"""The queue: which job is whose, until when, so that every job ends exactly once.

A worker holds the jobs that it claimed by a lease, which it renews while it works. Where it dies the lease
runs out and the job is claimed again, at most `tries` times. What it found counts only if the job is still
its own in the transaction that ends the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from atypia.service.store import events
from atypia.service.store.clock import moment
from atypia.service.store.models import ENDED, VERDICTS, Finding, Job, Screener, new_id, now

TOGETHER = 16
"""So many pictures of small jobs are judged at once."""


class Lost(Exception):
    """A job is no longer whose it was: it was cancelled, deleted, or claimed by another."""


@dataclass(frozen=True)
class Alike:
    """What jobs of few pictures have in common that can be judged together."""

    screener: str
    judge_all: bool

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return it of a job that was not begun before; None for one that is judged alone."""
        if not job.weight or job.attempts:
            return None
        return cls(job.screener, bool(job.options.get("judge_all", False)))


def enqueue(session: Session, job: Job) -> Job:
    """Add a job; it waits for a worker unless its state is `receiving`."""
    if job.files and all(file.kind == "picture" for file in job.files):
        job.weight = len(job.files)
    job.id, job.due = job.id or new_id(), job.due or moment(session)
    session.add(job)
    events.emit(session, "job", job.id, job.id)
    return job


def received(session: Session, job: Job) -> None:
    """Let a job that was being received wait for a worker."""
    job.state, job.due = "queued", moment(session)
    if job.files and all(file.kind == "picture" for file in job.files):
        job.weight = len(job.files)
    events.emit(session, "job", job.id, job.id)


def claim(
    session: Session,
    owner: str,
    lease_s: float,
    limit: int = TOGETHER,
    tries: int = 3,
    like: Alike | None = None,
) -> list[Job]:
    """Take the next job; where it is of few pictures, more such of the same Screener, up to `limit` pictures.

    Empty where nothing waits, or where the next one is not `like` those that its worker is at. A job that was
    begun before comes alone, so that one that kills its worker takes no other with it. `session` is one to
    write with.
    """
    clock = moment(session)
    first = session.scalars(_next(_free(clock, tries)).limit(1)).first()
    if first is None or (like is not None and like != Alike.of(first)):
        return []
    taken, room, kind = [first], limit - first.weight, Alike.of(first)
    if kind is not None and room > 0:
        alike = and_(
            _free(clock, tries),
            Job.attempts == 0,
            Job.screener == first.screener,
            Job.id != first.id,
            Job.weight.between(1, room),
        )
        for job in session.scalars(_next(alike).limit(room)):
            if job.weight <= room and kind == Alike.of(job):
                taken.append(job)
                room -= job.weight
    for job in taken:
        _take(session, job, owner, clock + timedelta(seconds=lease_s))
    return taken


def _free(clock: datetime, tries: int) -> ColumnElement[bool]:
    waiting = and_(Job.state == "queued", Job.due <= clock)
    abandoned = and_(Job.state == "running", Job.lease_until < clock)
    return and_(or_(waiting, abandoned), Job.attempts < tries)


def _next(which: ColumnElement[bool]) -> Select[Job]:
    order = (Job.priority.desc(), Job.created, Job.id)
    return select(Job).where(which).order_by(*order).with_for_update(skip_locked=True)


def _take(session: Session, job: Job, owner: str, until: datetime) -> None:
    job.state, job.owner, job.attempts, job.error = "running", owner, job.attempts + 1, None
    job.started = job.started or now()
    job.lease_until, job.done = until, 0
    events.emit(session, "job", job.id, job.id)


def heartbeat(session: Session, owner: str, jobs: Iterable[str], lease_s: float) -> set[str]:
    """Renew the leases of these jobs, and return those that are still the owner's."""
    until = moment(session) + timedelta(seconds=lease_s)
    mine = list(session.scalars(_mine(owner, jobs)))
    for job in mine:
        job.lease_until = until
    return {job.id for job in mine}


def progressed(session: Session, owner: str, job: str, done: int, total: int) -> None:
    """Tell how much of a job is done; raise Lost where it is not the owner's."""
    held = owned(session, owner, job)
    if (held.done, held.total) != (done, total):
        held.done, held.total = done, total
        events.emit(session, "job", job, job)


def owned(session: Session, owner: str, job: str) -> Job:
    """Return a job that is the owner's, locked; raise Lost where it is not."""
    held = session.scalars(_mine(owner, [job])).first()
    if held is None:
        raise Lost(job)
    return held


def _mine(owner: str, jobs: Iterable[str]) -> Select[Job]:
    mine = and_(Job.id.in_(list(jobs)), Job.owner == owner, Job.state == "running")
    return select(Job).where(mine).order_by(Job.id).with_for_update()


def finish(session: Session, owner: str, job: str, findings: Sequence[Finding]) -> Job:
    """End a job with what was found, with the transaction; raise Lost where it is not the owner's."""
    ended = finish_all(session, owner, {job: findings})
    if job not in ended:
        raise Lost(job)
    return ended[job]


def finish_all(session: Session, owner: str, found: Mapping[str, Sequence[Finding]]) -> dict[str, Job]:
    """End jobs, each with what was found, and return them; those that are not the owner's are left out."""
    mine = {job.id: job for job in session.scalars(_mine(owner, found))}
    session.add_all(finding for job in mine for finding in found[job])
    session.flush()
    for job, held in mine.items():
        findings = found[job]
        counts = dict.fromkeys(VERDICTS, 0)
        for finding in findings:
            counts[finding.verdict] += 1
            events.emit(session, "finding", finding.id, job)
        held.counts, held.done, held.total = counts, len(findings), len(findings)
        _end(session, held, "done")
    return mine


def fail(session: Session, owner: str, job: str, error: str) -> None:
    """End a job that could not be done, with the reason; raise Lost where it is not the owner's."""
    held = owned(session, owner, job)
    held.error = error
    _end(session, held, "failed")


def release(session: Session, owner: str, jobs: Iterable[str], *, tried: bool = False) -> None:
    """Give jobs back undone; unless `tried` it does not count as a try."""
    for job in session.scalars(_mine(owner, jobs)):
        job.state, job.owner, job.lease_until, job.due = "queued", None, None, moment(session)
        job.attempts -= 0 if tried else 1
        events.emit(session, "job", job.id, job.id)


def give_back(session: Session, owner: str) -> None:
    """Give all jobs of an owner back, untried: it is to end, and not by their fault."""
    held = session.scalars(select(Job.id).where(Job.owner == owner, Job.state == "running"))
    release(session, owner, list(held))


def put_off(session: Session, owner: str, job: str, error: str, tries: int, seconds: float) -> None:
    """Have a job that could not be done for now tried later, with the reason; fail it after its last try.

    Raises Lost where it is not the owner's.
    """
    held = owned(session, owner, job)
    held.error = error
    if held.attempts >= tries:
        _end(session, held, "failed")
        return
    held.state, held.owner, held.lease_until = "queued", None, None
    held.due = moment(session) + timedelta(seconds=seconds)
    events.emit(session, "job", job, job)


def retry(session: Session, job: str) -> Job | None:
    """Have a job that failed tried again, with all its tries; None where there is no such, or it did not."""
    asked = select(Job).where(Job.id == job, Job.state == "failed").with_for_update()
    held = session.scalars(asked).first()
    if held is not None:
        held.state, held.error, held.ended, held.attempts = "queued", None, None, 0
        held.due = moment(session)
        events.emit(session, "job", job, job)
    return held


def cancel(session: Session, job: str) -> bool:
    """Cancel a job that has not ended; tell whether there was one. What its worker finds counts no more."""
    held = session.scalars(select(Job).where(Job.id == job).with_for_update()).first()
    if held is None or held.state in ENDED:
        return False
    _end(session, held, "cancelled")
    return True


def sweep(session: Session, tries: int = 3) -> list[str]:
    """Fail the jobs whose tries are used up and that no worker is at; return their identifiers."""
    gone = or_(Job.state == "queued", and_(Job.state == "running", Job.lease_until < moment(session)))
    asked = select(Job).where(gone, Job.attempts >= tries)
    failed = list(session.scalars(asked.with_for_update(skip_locked=True)))
    for job in failed:
        job.error = (
            f"The worker ended {job.attempts} times while it judged this job. Its scans may be too large for "
            "the memory, or broken in a way that we do not know."
        )
        _end(session, job, "failed")
    return [job.id for job in failed]


def abandoned(session: Session, owner: str | None = None) -> None:
    """Let the jobs of an owner that is known to be dead be claimed again at once; None: of all owners."""
    theirs = select(Job).where(Job.state == "running").with_for_update(skip_locked=True)
    if owner is not None:
        theirs = theirs.where(Job.owner == owner)
    past = moment(session) - timedelta(seconds=1)
    for job in session.scalars(theirs):
        job.lease_until = past


def waiting(session: Session) -> int:
    """Return how many jobs wait for a worker."""
    return session.scalar(select(func.count(Job.id)).where(Job.state == "queued")) or 0


def _end(session: Session, job: Job, state: str) -> None:
    job.state, job.ended, job.owner, job.lease_until = state, now(), None, None
    events.emit(session, "job", job.id, job.id)


def screener_of(session: Session, job: Job) -> tuple[str, str, str]:
    """Return identifier, hash and name of the Screener that a job is judged with."""
    asked = select(Screener.id, Screener.sha256, Screener.name).where(Screener.id == job.screener)
    found = session.execute(asked).one_or_none()
    if found is None:
        raise LookupError(job.screener)
    return found.id, found.sha256, found.name
