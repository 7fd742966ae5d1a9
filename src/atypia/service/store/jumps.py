"""Jumps of the clock: no turn waits for a moment far ahead, and nothing is forgotten by a wrong date."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from atypia.service.store.clock import moment
from atypia.service.store.models import Delivery, Job, Study

JUMP_SECONDS = 300.0
"""What the clock may be set by, and still be believed."""
DOUBT_SECONDS = 86_400.0
"""So long a clock that jumped is not believed: it may be put right meanwhile."""
_AHEAD = timedelta(minutes=1)
_log = structlog.get_logger("atypia.clock")


def steady() -> float:
    """Return seconds that nobody sets, and that go on while the machine sleeps, where it counts those."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if kind is None else time.clock_gettime(kind)


class Watch:
    """Compares a clock with one that nobody sets, from now on."""

    def __init__(self, seconds: float, steady: Callable[[], float] = steady) -> None:
        self._steady = steady
        self._apart = seconds - steady()
        self._jumped_at: float | None = None

    def believes(self, seconds: float) -> bool:
        """Tell whether the clock, which shows so many seconds, is to be believed."""
        now = self._steady()
        if abs(seconds - now - self._apart) <= JUMP_SECONDS:
            self._jumped_at = None
            return True
        if self._jumped_at is None:
            self._jumped_at = now
            _log.warning("the clock jumped", seconds=round(seconds - now - self._apart))
        if now - self._jumped_at < DOUBT_SECONDS:
            return False
        self._apart, self._jumped_at = seconds - now, None
        return True


_WATCHES: WeakKeyDictionary[object, Watch] = WeakKeyDictionary()


def is_believed(session: Session) -> bool:
    """Tell whether anything may be forgotten by the age that the clock of this database gives it.

    Not where that jumped, against what it was when this process first asked, in the last day.
    """
    seconds = moment(session).timestamp()
    return _WATCHES.setdefault(session.get_bind().engine, Watch(seconds)).believes(seconds)


def set_right(session: Session, lease_s: float, longest_wait_s: float) -> None:
    """Let nothing wait for a moment that nobody would have set: the clock was ahead, and is so no more.

    Leases last `lease_s` at most, and deliveries wait `longest_wait_s` at most, in seconds.
    """
    clock = moment(session)
    lease, wait = timedelta(seconds=lease_s), timedelta(seconds=longest_wait_s)
    for which, column, most in (
        (Job.state == "queued", Job.due, timedelta()),
        (Job.state == "running", Job.lease_until, lease),
        (Study.state == "receiving", Study.last, timedelta()),
        (Delivery.state == "pending", Delivery.due, wait),
        (Delivery.state == "sending", Delivery.lease_until, wait),
    ):
        late = update(column.class_).where(which, column > clock + most + _AHEAD)
        session.execute(late.values({column: clock + most}).execution_options(synchronize_session=False))
