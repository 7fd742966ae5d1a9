"""The audit log: who saw and who changed what, one row for each, never what it held."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from atypia.service.access.calls import Call
from atypia.service.access.users import Note, User
from atypia.service.store import jumps
from atypia.service.store.database import Store
from atypia.service.store.models import Audit, now

AGAIN = 60.0
"""Seconds in which one who opens the same finding again is not told of again."""
SWEEP = 3600.0
ROOM = 10_000
_ID = re.compile(r"[0-9a-f]{32}")
_WORDS = frozenset(
    {
        "jobs", "findings", "review", "feedback", "screeners", "threshold", "preview", "deliveries", "retry",
        "studies", "tokens", "session",
    }
)  # fmt: skip
"""What the log may repeat of a path: a client can make up any other word."""
_FINDING = re.compile(r"/api/v1/findings/([0-9a-f]{32})(?:/(?:files/(?P<file>.+)|alike))?")
_UNTOLD = "thumbnail.webp"
"""A list of findings shows all of these: that opens none."""
OPENED, AHEAD = "finding.open", "finding.prefetch"
"""Somebody looks at a finding; a page fetches what may be looked at next, and tells so by `?prefetch=1`."""
_SINGULAR = {"deliveries": "delivery", "studies": "study"}
_VERBS = {"POST": "create", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


@dataclass(frozen=True)
class Entry:
    """A row to be: `once` where the same within a minute is told once."""

    action: str
    subject: str | None = None
    once: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """An entry, with who called from where, and what the answer was; None is somebody unknown."""

    user: User | None
    entry: Entry
    status: int
    address: str


def entry_of(call: Call, noted: Note | None, made: str = "") -> Entry | None:
    """Return what to write of a call: of what opens a finding or may change something; None of all else.

    Of the path only words and our own identifiers are told; a UID, or anything a client made up, is not.
    `made` is the address of what the call made.
    """
    if noted is not None:
        return Entry(noted.action, noted.subject, details=dict(noted.details))
    if not call.safe:
        return _unsafe(call, made)
    match = _FINDING.fullmatch(call.path)
    if call.method == "GET" and match is not None and match["file"] != _UNTOLD:
        return Entry(AHEAD if call.is_ahead else OPENED, match[1], once=True)
    return None


def _unsafe(call: Call, made: str) -> Entry:
    if call.path.startswith("/dicomweb/"):
        return Entry("study.create")
    steps = call.path.removeprefix("/api/v1/").strip("/").split("/")
    ids = [step for step in [*steps, *made.split("/")] if _ID.fullmatch(step)]
    noun, *rest = [step for step in steps if step in _WORDS] or ["unknown"]
    if not rest or call.method == "DELETE":
        rest.append(_VERBS.get(call.method, "call"))
    action = ".".join([_SINGULAR.get(noun, noun.removesuffix("s")), *rest])
    return Entry(action, ids[0] if ids else None, once=action.endswith("preview"))


def record(
    session: Session,
    who: str,
    role: str,
    action: str,
    subject: str | None = None,
    status: int | None = None,
    address: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write one row, in the caller's transaction; also for what does not come by HTTP."""
    session.add(
        Audit(
            who=who[:200], role=role, action=action, subject=subject, status=status, address=address,
            details=dict(details or {}),
        )
    )  # fmt: skip


class AuditLog:
    """Writes rows of calls. What is to be told once in a minute is remembered for so long, in memory."""

    def __init__(self, store: Store, days: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._days, self._clock = store, days, clock
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._swept: float | None = None
        self._lock = Lock()

    def is_due(self, user: User | None, entry: Entry, status: int) -> bool:
        """Tell whether an entry is to be written: not again what was told, and not that nothing was shown.

        Of somebody unknown only logins are told, lest whoever likes could fill the log.
        """
        if status == 429 or (user is None and status not in (200, 401)):
            return False
        if not entry.once:
            return True
        told = self._seen.get(self._key(user, entry))
        return status < 400 and (told is None or self._clock() - told >= AGAIN)

    def write(self, calls: Sequence[Told]) -> None:
        """Write entries, all or none, and now and then forget rows that are too old."""
        with self._store.write() as session:
            for call in calls:
                user, entry = call.user, call.entry
                who, role, kind = (user.name, user.role, user.kind) if user else ("", "", "unknown")
                told = {**entry.details, "kind": kind}
                record(session, who, role, entry.action, entry.subject, call.status, call.address, told)
            due = self._swept is None or self._clock() - self._swept >= SWEEP
            if self._days and due and jumps.is_believed(session):
                forget(session, self._days)
                self._swept = self._clock()
        for call in calls:
            if call.entry.once:
                self._remember(self._key(call.user, call.entry))

    def _key(self, user: User | None, entry: Entry) -> tuple[str, ...]:
        who = (user.kind, user.name) if user else ("", "")
        return (*who, entry.action, str(entry.subject))

    def _remember(self, key: tuple[str, ...]) -> None:
        with self._lock:
            self._seen[key] = self._clock()
            self._seen.move_to_end(key)
            if len(self._seen) > ROOM:
                self._seen.popitem(last=False)


def forget(session: Session, days: int) -> None:
    """Delete the rows that are older than so many days."""
    session.execute(delete(Audit).where(Audit.at < now() - timedelta(days=days)))
