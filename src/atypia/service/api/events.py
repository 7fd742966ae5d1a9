"""Server-sent events: pages are told of what happens, and after a broken connection of what they missed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select

from atypia.service.api import schemas, shown
from atypia.service.api.hub import LISTENERS, Listener, Told
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Viewer
from atypia.service.api.serving import Here, Serving
from atypia.service.store import events
from atypia.service.store.database import Store
from atypia.service.store.findings import rows_of
from atypia.service.store.models import ENDED, Event, Finding, Job

router = APIRouter(tags=["events"])
HEARTBEAT_S = 15.0
LASTS_S = 600.0
"""A stream ends then, and the page comes back: so a token that was revoked tells nothing for long."""
STILL_HERE = ": still here\n\n"
MISSED = 2000
"""Events that a page is told of after it was away; of more it is told to load anew."""
RETRY_MS = 1000
_STREAM = {
    "response_class": StreamingResponse,
    "responses": {200: {"content": {"text/event-stream": {}}, "description": "Events."}},
}
LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)]


@router.get("/events", **_STREAM)  # type: ignore[arg-type]
async def follow_all(
    here: Here,
    _user: Viewer,
    last_event_id: LastId = None,
    since: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> StreamingResponse:
    """Follow everything: events `job`, `finding`, `screener`, `study`, `delivery`, each with an id.

    The header Last-Event-ID, or `since`, asks for those that were missed; `reset` tells that they are gone.
    """
    return await _stream(here, None, _number(last_event_id, since))


@router.get("/jobs/{job}/events", **_STREAM)  # type: ignore[arg-type]
async def follow_job(
    here: Here, _user: Viewer, job: schemas.InPath, last_event_id: LastId = None
) -> StreamingResponse:
    """Follow one job: as it is now, each time it changes, its findings; the stream ends when the job has."""
    if await run_sync(_job, here.store, job) is None:
        raise not_found("job")
    return await _stream(here, job, _number(last_event_id, None))


def read_events(store: Store, last: int, job: str | None = None, limit: int = 500) -> list[Told]:
    """Return the events after number `last` as pages get them."""
    with store.session() as session:
        found = events.after(session, last, limit, job)
        jobs = _subjects(found, "job")
        findings = _subjects(found, "finding")
        as_jobs = {row.id: row for row in session.scalars(select(Job).where(Job.id.in_(jobs)))}
        as_findings = {row.id: row for row in session.scalars(rows_of(Finding.id.in_(findings)))}
        return [_told(event, as_jobs, as_findings) for event in found]


def latest_event(store: Store) -> int:
    """Return the number of the last event."""
    with store.session() as session:
        return events.latest(session)


def _subjects(found: Sequence[Event], kind: str) -> list[str]:
    return list({event.subject for event in found if event.kind == kind})


def _told(event: Event, jobs: dict[str, Job], findings: dict[str, Finding]) -> Told:
    """Tell of an event with the row as it is now; of what was deleted meanwhile, that it was."""
    data, ends = json.dumps({"id": event.subject}), False
    if event.kind in ("job", "finding"):
        data = json.dumps({"id": event.subject, "job": event.job, "deleted": True})
    if event.kind == "job" and event.subject in jobs:
        data, ends = shown.job(jobs[event.subject]).model_dump_json(), jobs[event.subject].state in ENDED
    elif event.kind == "job":
        ends = True
    elif event.kind == "finding" and event.subject in findings:
        data = shown.finding_row(findings[event.subject]).model_dump_json()
    return Told(event.id, event.kind, event.subject, event.job, data, ends)


def _number(header: str | None, query: int | None) -> int | None:
    text = (header or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else query


async def _stream(here: Serving, job: str | None, last: int | None) -> StreamingResponse:
    if here.hub.listeners >= LISTENERS or here.hub.stopped:
        raise Problem(503, "Too many streams", "Try again later.", {"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(here, job, last), headers=headers, media_type="text/event-stream; charset=utf-8"
    )


async def _events(here: Serving, job: str | None, last: int | None) -> AsyncIterator[str]:
    listener = await here.hub.join(job)
    here.meters.streams.inc()
    try:
        yield f"retry: {RETRY_MS}\n\n"
        missed, gone = await run_sync(_missed, here.store, job, last)
        if gone:
            yield "event: reset\ndata: {}\n\n"
        if job is not None:
            missed = [*missed, *await run_sync(_as_it_is, here.store, job)]
        source = _live(here, listener, missed, {told.number for told in missed})
        if job is not None:
            source = _until_the_end(here.store, job, source)
        async for told in source:
            yield STILL_HERE if told is None else _written(told)
    finally:
        here.hub.leave(listener)
        here.meters.streams.dec()


async def _live(
    here: Serving, listener: Listener, missed: list[Told], seen: set[int]
) -> AsyncIterator[Told | None]:
    """Yield what was missed and then what comes; None from time to time where nothing does."""
    for told in missed:
        yield told
    begun = time.monotonic()
    while time.monotonic() - begun < LASTS_S and not here.hub.stopped:
        try:
            came = await asyncio.wait_for(listener.queue.get(), HEARTBEAT_S)
        except TimeoutError:
            yield None
            continue
        if came is None:
            return
        if came.number not in seen:
            yield came


async def _until_the_end(
    store: Store, job: str, source: AsyncIterator[Told | None]
) -> AsyncIterator[Told | None]:
    """Yield events of a job until it has ended; before that is told, all of its findings have been."""
    findings = set[str]()
    async for told in source:
        if told is None or not told.ends:
            if told is not None and told.kind == "finding":
                findings.add(told.subject)
            yield told
            continue
        # An event tells of its subject as it is now: so the first that says "done" may come before findings.
        for one in await run_sync(_as_it_is, store, job):
            if one.kind == "job" or one.subject not in findings:
                yield one
        return


def _written(told: Told) -> str:
    number = f"id: {told.number}\n" if told.number else ""
    return f"{number}event: {told.kind}\ndata: {told.data}\n\n"


def _missed(store: Store, job: str | None, last: int | None) -> tuple[list[Told], bool]:
    """Return what came after number `last`, and whether some of that is forgotten or too much to tell."""
    if last is None:
        return [], False
    with store.session() as session:
        oldest, newest = (session.scalar(select(one(Event.id))) or 0 for one in (func.min, func.max))
    if not newest:
        return [], last > 0
    if not oldest - 1 <= last <= newest:
        return [], True
    found = read_events(store, last, job, MISSED + 1)
    return ([], True) if len(found) > MISSED else (found, False)


def _job(store: Store, job: str) -> Job | None:
    with store.session() as session:
        return session.get(Job, job)


def _as_it_is(store: Store, job: str) -> list[Told]:
    """Return a job as it is now, with its findings before it; they have no numbers."""
    with store.session() as session:
        row = session.get(Job, job)
        if row is None:
            return [Told(0, "job", job, job, json.dumps({"id": job, "job": job, "deleted": True}), True)]
        of_job = rows_of(Finding.job == job).order_by(Finding.index).limit(MISSED)
        found = [
            Told(0, "finding", one.id, job, shown.finding_row(one).model_dump_json())
            for one in session.scalars(of_job)
        ]
        return [*found, Told(0, "job", job, job, shown.job(row).model_dump_json(), row.state in ENDED)]
