"""The time that all servers of one database agree on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from atypia.service.store.models import in_utc, now


def moment(session: Session) -> datetime:
    """Return the time by which turns and leases go: that of PostgreSQL; with SQLite that of this machine.

    The clocks of several servers may differ by hours: what one wrote would not be due yet for another, or
    long be over.
    """
    if session.get_bind().dialect.name != "postgresql":
        return now()
    return in_utc(session.execute(select(func.clock_timestamp())).scalar_one())
