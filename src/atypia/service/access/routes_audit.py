"""The audit log, for administrators."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel
from sqlalchemy import Select, select

from atypia.service.access.routes_session import There
from atypia.service.access.routes_tokens import Admin
from atypia.service.api.problems import Problem
from atypia.service.store.cursor import BadCursor, Sort, page
from atypia.service.store.database import Store
from atypia.service.store.models import Audit, in_utc

router = APIRouter(tags=["access"])
COLUMNS = ("id", "at", "who", "role", "action", "subject", "status", "address", "details")
SORT = Sort("-id", Audit.id, Audit.id, descending=True)
CHUNK = 1000
Text = Annotated[str | None, Query(max_length=200, pattern="^[^\\x00]*$")]


class Deed(BaseModel):
    """A row of the audit log: who did what, when, from where, and how it was answered."""

    id: int
    at: datetime
    who: str
    role: str
    action: str
    subject: str | None
    status: int | None
    address: str | None
    details: dict[str, Any]


class Deeds(BaseModel):
    """A page of the audit log, the newest first."""

    items: list[Deed]
    next: str | None


class Filter(BaseModel):
    """Which rows are asked for."""

    who: Text = None
    action: Text = None
    """Its beginning, as `finding.`."""
    subject: Text = None
    since: Annotated[AwareDatetime, AfterValidator(in_utc)] | None = None
    until: Annotated[AwareDatetime, AfterValidator(in_utc)] | None = None

    def statement(self) -> Select[Any]:
        """Return what selects them."""
        found = select(Audit)
        if self.who is not None:
            found = found.where(Audit.who == self.who)
        if self.action is not None:
            found = found.where(Audit.action.startswith(self.action, autoescape=True))
        if self.subject is not None:
            found = found.where(Audit.subject == self.subject)
        if self.since is not None:
            found = found.where(Audit.at >= self.since)
        return found if self.until is None else found.where(Audit.at < self.until)


Filtered = Annotated[Filter, Depends()]


@router.get("/audit")
def list_audit(
    _: Admin,
    there: There,
    wanted: Filtered,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Deeds:
    """List who saw and who changed what, the newest first."""
    try:
        with there.store.session() as session:
            rows, following = page(session, wanted.statement(), SORT, limit, cursor)
    except BadCursor as error:
        raise Problem(422, "Not a cursor", str(error)) from error
    return Deeds(items=[Deed(**_told(row)) for row in rows], next=following)


@router.get("/audit.csv", response_class=StreamingResponse)
def export_audit(_: Admin, there: There, wanted: Filtered) -> StreamingResponse:
    """Give the whole log, or what is asked for of it, as a table."""
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(_lines(there.store, wanted), media_type="text/csv", headers=headers)


def _lines(store: Store, wanted: Filter) -> Iterator[str]:
    """Yield the table in pieces; no transaction stays open between two of them."""
    yield ",".join(COLUMNS) + "\r\n"
    last: str | None = None
    while True:
        with store.session() as session:
            rows, last = page(session, wanted.statement(), SORT, CHUNK, last)
        text = io.StringIO()
        csv.writer(text).writerows([plain(value) for value in _told(row).values()] for row in rows)
        yield text.getvalue()
        if last is None:
            return


def plain(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    >>> plain("=1+1"), plain(None), plain(200)
    ("'=1+1", '', '200')
    """
    if isinstance(value, dict):
        return json.dumps(value)
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _told(row: Audit) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}
