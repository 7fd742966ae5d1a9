"""Forgetting: a study or a job, with all that came in, all that was found of it, and all that tells of it.

What stays is that something was deleted, by whom and when, in the audit log, which does not say of whom. What
was sent to peers stays with them, and scans of a job by path stay where they lie.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from itertools import islice

from sqlalchemy import Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from atypia.service.access.audit import record
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import events, jumps, queue, removal
from atypia.service.store.clock import moment
from atypia.service.store.database import Store
from atypia.service.store.models import (
    ENDED,
    Delivery,
    Event,
    Feedback,
    File,
    Finding,
    Instance,
    Job,
    Study,
)

AT_ONCE = 50
"""So many studies and jobs are forgotten in one transaction."""
FORGOTTEN = "study.forget"
_ID, _HASH, _UID = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{64}"), re.compile("[0-9]+([.][0-9]+)+")


@dataclass(frozen=True)
class Chosen:
    """Studies and jobs by their identifiers; with a study go all jobs that judged it."""

    studies: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.studies or self.jobs)

    def __or__(self, other: Chosen) -> Chosen:
        return Chosen(self.studies | other.studies, self.jobs | other.jobs)


@dataclass(frozen=True)
class Amount:
    """How much there is of something chosen; `sent` results lie with peers, `elsewhere` are jobs by path."""

    studies: int = 0
    jobs: int = 0
    findings: int = 0
    feedback: int = 0
    instances: int = 0
    files: int = 0
    sent: int = 0
    elsewhere: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Amount)))


def named(session: Session, home: Home, word: str) -> Chosen:
    """Return what a word names: study, job or finding by its identifier, or an upload by its SHA-256.

    A study is named by its Study Instance UID too, of which only a keyed hash is kept. A finding names the
    study that it is of, else its job; a job of a study names that study. Nothing where nothing is so called.
    """
    studies, jobs = set[str](), set[str]()
    if _ID.fullmatch(word):
        of_finding = select(Finding.job).where(Finding.id == word)
        studies = set(session.scalars(select(Study.id).where(Study.id == word)))
        jobs = set(session.scalars(select(Job.id).where(or_(Job.id == word, Job.id.in_(of_finding)))))
    elif _HASH.fullmatch(word):
        studies = set(session.scalars(select(Study.id).where(Study.key == word)))
        jobs = set(session.scalars(select(File.job).where(File.sha256 == word)))
    elif _UID.fullmatch(word):
        key = hmac.new(home.key, f"study\0{word}".encode(), hashlib.sha256).hexdigest()
        studies = set(session.scalars(select(Study.id).where(Study.key == key)))
    of = select(Job.id, Job.study).where(Job.id.in_(jobs), Job.study.is_not(None))
    for job, study in session.execute(of).all():
        jobs.remove(job)
        studies.add(str(study))
    return Chosen(frozenset(studies), frozenset(jobs))


def older(session: Session, days: float) -> Chosen:
    """Return what has ended, and of which nothing came, for so many days."""
    before = moment(session) - timedelta(days=days)
    recent = or_(Job.state.not_in(ENDED), func.coalesce(Job.ended, Job.created) >= before)
    studies = select(Study.id).where(
        Study.last < before, ~exists().where(and_(Job.study == Study.id, recent))
    )
    jobs = select(Job.id).where(Job.study.is_(None), ~recent)
    return Chosen(frozenset(session.scalars(studies)), frozenset(session.scalars(jobs)))


def amount_of(session: Session, chosen: Chosen) -> Amount:
    """Return how much there is of what was chosen."""
    return sum((_amount(session, part) for part in _parts(chosen)), Amount())


def forget(store: Store, home: Home, chosen: Chosen, by: str, role: str) -> Amount:
    """Delete what was chosen, a part at a time, each wholly or not at all; return how much that was.

    A job that is under way is cancelled: what its worker has made of it until then goes when that one is
    told, within seconds. Call it outside of any session; `store.compact` takes the last bytes of it.
    """
    total = Amount()
    for part in _parts(chosen):
        with store.write() as session:
            amount, gone, studies = _forget(session, part)
            if amount.studies or amount.jobs:
                told = {one.name: getattr(amount, one.name) for one in fields(Amount)}
                record(session, by, role, FORGOTTEN, details=told)
        removal.clear(store, home, gone)
        for study in studies:
            home.discard(home.study(study))
        total += amount
    return total


def forget_old(settings: Settings, store: Store, home: Home) -> Amount:
    """Forget what is older than the settings have it kept; nothing where the clock jumped."""
    if settings.keep_days is None:
        return Amount()
    with store.session() as session:
        if not jumps.is_believed(session):
            return Amount()
        chosen = older(session, settings.keep_days)
    amount = forget(store, home, chosen, "server", "admin")
    if chosen:
        store.compact(whole=False)
    return amount


def _forget(session: Session, part: Chosen) -> tuple[Amount, removal.Removed, Sequence[str]]:
    locked = select(Study).where(Study.id.in_(part.studies)).order_by(Study.id).with_for_update()
    studies = [study.id for study in session.scalars(locked)]
    amount, gone = _amount(session, part), removal.Removed()
    jobs = list(session.scalars(_jobs(part)))
    _forget_events(session, [*studies, *jobs], jobs)
    for identifier in jobs:
        queue.cancel(session, identifier)
        session.flush()
        job = session.get(Job, identifier)
        if job is not None:
            removed = removal.remove_job(session, job)
            gone.findings += removed.findings
            gone.uploads += removed.uploads
    session.execute(delete(Study).where(Study.id.in_(studies)))  # instances and deliveries go with it
    for study in studies:
        events.emit(session, "study", study)
    return replace(amount, studies=len(studies)), gone, studies


def _forget_events(session: Session, subjects: Collection[str], jobs: Collection[str]) -> None:
    """Forget what was told of these, but for the last event, whose number is not to come again."""
    deliveries = select(Delivery.id).where(or_(Delivery.job.in_(jobs), Delivery.study.in_(subjects)))
    theirs = or_(Event.subject.in_(subjects), Event.job.in_(jobs), Event.subject.in_(deliveries))
    session.execute(
        delete(Event)
        .where(theirs, Event.id < events.latest(session))
        .execution_options(synchronize_session=False)
    )


def _parts(chosen: Chosen) -> Iterator[Chosen]:
    studies, jobs = iter(sorted(chosen.studies)), iter(sorted(chosen.jobs))
    while some := list(islice(studies, AT_ONCE)):
        yield Chosen(studies=frozenset(some))
    while some := list(islice(jobs, AT_ONCE)):
        yield Chosen(jobs=frozenset(some))


def _jobs(part: Chosen) -> Select[str]:
    return select(Job.id).where(or_(Job.id.in_(part.jobs), Job.study.in_(part.studies))).order_by(Job.id)


def _amount(session: Session, part: Chosen) -> Amount:
    jobs = list(session.scalars(_jobs(part)))
    findings = select(Finding.id).where(Finding.job.in_(jobs))

    def count(*where: object) -> int:
        return session.scalar(select(func.count()).where(*where)) or 0  # type: ignore[arg-type]

    return Amount(
        studies=count(Study.id.in_(part.studies)),
        jobs=len(jobs),
        findings=count(Finding.job.in_(jobs)),
        feedback=count(Feedback.finding.in_(findings)),
        instances=count(Instance.study.in_(part.studies)),
        files=count(File.job.in_(jobs)),
        sent=count(Delivery.job.in_(jobs), Delivery.state == "sent"),
        elsewhere=count(Job.id.in_(jobs), Job.path.is_not(None)),
    )


def told_amount(amount: Amount) -> str:
    """Return an amount in words.

    >>> told_amount(Amount(studies=1, jobs=2, findings=2, instances=30))
    '1 study, 2 jobs, 2 findings, 30 instances'
    """
    words = {
        "studies": ("study", "studies"),
        "jobs": ("job", "jobs"),
        "findings": ("finding", "findings"),
        "feedback": ("word of feedback", "words of feedback"),
        "instances": ("instance", "instances"),
        "files": ("uploaded file", "uploaded files"),
    }
    counts = {name: getattr(amount, name) for name in words}
    return ", ".join(f"{n} {words[name][n != 1]}" for name, n in counts.items() if n) or "nothing"
