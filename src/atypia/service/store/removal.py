"""Deleting: rows at once, and then the files that only they needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from atypia.service.home import Home
from atypia.service.store import events
from atypia.service.store.database import Store
from atypia.service.store.models import File, Finding, Job

_AT_ONCE = 200
_UPLOADS = 7_203_120  # any number: the lock that those who take and remove uploads take turns with


@dataclass
class Removed:
    """What is to go from the disk once rows are gone: folders of findings, and uploads by hash and suffix."""

    findings: list[str] = field(default_factory=list)
    uploads: list[tuple[str, str]] = field(default_factory=list)


def remove_job(session: Session, job: Job) -> Removed:
    """Delete a job that has ended, with its findings and their feedback; call `clear` after the commit."""
    gone = Removed(
        list(session.scalars(select(Finding.id).where(Finding.job == job.id))),
        [(file.sha256, file.suffix) for file in job.files],
    )
    identifier = job.id
    # By statements, so that no finding is loaded to be deleted; what hangs on them goes by foreign keys.
    for table, column in ((Finding, Finding.job), (File, File.job), (Job, Job.id)):
        session.execute(
            delete(table).where(column == identifier).execution_options(synchronize_session=False)
        )
    session.expunge_all()
    events.emit(session, "job", identifier, identifier)
    return gone


def remove_finding(session: Session, finding: Finding) -> Removed:
    """Delete one finding with its feedback; call `clear` after the commit."""
    job = session.get(Job, finding.job)
    if job is not None:
        left = int(job.counts.get(finding.verdict, 0)) - 1
        job.counts = {**job.counts, finding.verdict: max(0, left)}
    identifier = finding.id
    events.emit(session, "finding", identifier, finding.job)
    session.flush()
    session.execute(
        delete(Finding).where(Finding.id == identifier).execution_options(synchronize_session=False)
    )
    session.expunge_all()
    return Removed([identifier])


def uploads_in_turn(session: Session, *, removing: bool) -> None:
    """Wait, so that nobody makes a job of an upload while another, by the same content, removes it.

    Until the transaction ends. On SQLite one writes at a time anyway; on PostgreSQL many may make jobs at
    once, or one remove uploads. Whoever makes a job looks afterwards whether its uploads are there.
    """
    if session.get_bind().dialect.name == "postgresql":
        lock = "pg_advisory_xact_lock" if removing else "pg_advisory_xact_lock_shared"
        session.execute(text(f"SELECT {lock}(:key)"), {"key": _UPLOADS})


def clear(store: Store, home: Home, gone: Removed) -> None:
    """Remove files whose rows are gone. Call it outside of any session."""
    for finding in gone.findings:
        home.discard(home.findings(finding))
    uploads = list(dict.fromkeys(gone.uploads))
    for start in range(0, len(uploads), _AT_ONCE):
        with store.write() as session:
            uploads_in_turn(session, removing=True)
            for path in _unneeded(session, home, uploads[start : start + _AT_ONCE]):
                home.discard(path)


def _unneeded(session: Session, home: Home, uploads: list[tuple[str, str]]) -> list[Path]:
    asked = select(File.sha256, File.suffix).where(File.sha256.in_([sha256 for sha256, _ in uploads]))
    needed = {tuple(row) for row in session.execute(asked)}
    return [home.upload(*one) for one in uploads if one not in needed]
