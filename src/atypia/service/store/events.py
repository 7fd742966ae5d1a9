"""What pages are told of, in the order in which it happened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from atypia.service.store.models import Event

KINDS = ("job", "finding", "study", "delivery", "screener")
_ORDER = 7_203_119  # any number: the lock that those who tell take turns with
_TOLD = "told"


def emit(session: Session, kind: str, subject: str, job: str | None = None) -> None:
    """Tell that something happened to `subject`, written and seen by others when the transaction ends.

    Numbers rise in the order in which transactions end, on PostgreSQL too: so whoever has seen number n has
    seen all below. The session must be one of a Store.
    """
    session.info.setdefault(_TOLD, {})[kind, subject, job] = None


def write_told(session: Session) -> None:
    """Write what was told in a session, as the last thing before it commits."""
    told = session.info.pop(_TOLD, {})
    if not told:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ORDER})
    rows = [{"kind": kind, "subject": subject, "job": job} for kind, subject, job in told]
    session.execute(insert(Event.__table__), rows)  # type: ignore[arg-type]


def forget_told(session: Session) -> None:
    """Drop what was told in a session that rolls back."""
    session.info.pop(_TOLD, None)


def after(session: Session, last: int, limit: int = 500, job: str | None = None) -> list[Event]:
    """Return the events after number `last`, in order; of one job, where it is named."""
    asked = select(Event).where(Event.id > last).order_by(Event.id).limit(limit)
    if job is not None:
        asked = asked.where(Event.job == job)
    return list(session.scalars(asked))


def latest(session: Session) -> int:
    """Return the number of the last event, 0 where there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def forget(session: Session, before: datetime) -> int:
    """Forget what happened before a time, but for the last, and return how many were forgotten."""
    gone = session.execute(delete(Event).where(Event.at < before, Event.id < latest(session)))
    return int(getattr(gone, "rowcount", 0))
