"""Routes of the node: STOW-RS, and the lists of studies and deliveries that the page shows."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from starlette.datastructures import State

from atypia.service import forgetting
from atypia.service.access.users import note
from atypia.service.api.multipart import read_form
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Admin, Reader, Viewer
from atypia.service.api.schemas import Cursor, InPath, Limit, Page, Shape
from atypia.service.api.serving import Here, Serving
from atypia.service.node import deliveries
from atypia.service.node.recording import Recorder
from atypia.service.node.spool import Spool
from atypia.service.node.stow import JSON, StowBody, answer, boundary_of
from atypia.service.node.studies import remove
from atypia.service.store import models
from atypia.service.store.cursor import Sort, page

router = APIRouter(tags=["dicom"])
_LATEST = Sort("-last", models.Study.last, models.Study.id, descending=True)
_NEWEST = Sort("-created", models.Delivery.created, models.Delivery.id, descending=True)
_MAKING = Lock()

DeliveryState = Literal["pending", "sending", "sent", "dead"]
StudyState = Literal["receiving", "complete", "aside"]
StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID.")]


class Study(Shape):
    """A DICOM study as it came. `objects` of its instances are no MR images; `job` is its latest."""

    id: str
    state: StudyState
    source: str | None
    instances: int
    objects: int
    bytes: int
    version: int
    opened: datetime
    last: datetime
    error: str | None
    job: str | None


class Delivery(Shape):
    """A DICOM result on its way to a peer."""

    id: str
    job: str | None
    finding: str | None
    study: str | None
    peer: str
    file: str
    state: DeliveryState
    attempts: int
    created: datetime
    due: datetime
    ended: datetime | None
    error: str | None


@router.post("/dicomweb/studies", response_class=JSONResponse)
async def store_instances(request: Request, here: Here, user: Reader) -> Response:
    """Store instances of any studies (STOW-RS, PS3.18 10.5); a study is judged when it is complete."""
    return await _store(request, here, user.name, None)


@router.post("/dicomweb/studies/{study_uid}", response_class=JSONResponse)
async def store_instances_of_study(
    request: Request, here: Here, user: Reader, study_uid: StudyUid
) -> Response:
    """Store instances of one study; those of others are refused."""
    return await _store(request, here, user.name, study_uid)


async def _store(request: Request, here: Serving, source: str, study: str | None) -> Response:
    boundary = boundary_of(request.headers.get("content-type", ""))
    recorder = await run_sync(_recorder, request, here)
    body = StowBody(boundary, Spool(here.home, here.settings.node), recorder, source, study)
    await read_form(request, body, here.settings.limits.upload_bytes)
    status, told = answer(body.told)
    return JSONResponse(told, status, media_type=JSON)


def _recorder(request: Request, here: Serving) -> Recorder:
    """Return the recorder of this app, made when it is first needed."""
    with _MAKING:
        if not hasattr(request.app.state, "recorder"):
            request.app.state.recorder = Recorder(here.store, here.home, here.settings.node)
        found = request.app.state.recorder
        assert isinstance(found, Recorder)
        return found


def close(state: State) -> None:
    """Record what was handed in, and take no more; `state` is that of the app."""
    with _MAKING:
        recorder = getattr(state, "recorder", None)
    if recorder is not None:
        recorder.stop()


@router.get("/api/v1/studies")
def list_studies(here: Here, _user: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[Study]:
    """List studies that came by C-STORE or STOW-RS, the latest first."""
    with here.store.session() as session:
        rows, following = page(session, select(models.Study), _LATEST, limit, cursor)
        asked = (
            select(models.Job.study, models.Job.id)
            .where(models.Job.study.in_([row.id for row in rows]))
            .order_by(models.Job.created)
        )
        jobs = dict(session.execute(asked).all())
        return Page[Study](items=[_study(row, jobs.get(row.id)) for row in rows], next=following)


def _study(row: models.Study, job: str | None) -> Study:
    names = Study.model_fields.keys() - {"job", "objects"}
    return Study(**{name: getattr(row, name) for name in names}, objects=row.objects or 0, job=job)


@router.delete("/api/v1/studies/{study}", status_code=204)
def delete_study(
    request: Request,
    here: Here,
    user: Admin,
    study: InPath,
    whole: Annotated[
        bool, Query(description="Also its jobs and all that was found of it, by whomever it was reviewed.")
    ] = False,
) -> None:
    """Delete the instances of a study; what was found of it stays until its job is deleted, unless `whole`.

    Whole, the audit log tells that a study was forgotten, and not which.
    """
    with here.store.session() as session:
        if session.get(models.Study, study) is None:
            raise not_found("study")
    if whole:
        note(request, forgetting.FORGOTTEN, None)
        forgetting.forget(here.store, here.home, forgetting.Chosen(frozenset({study})), user.name, user.role)
        here.store.compact(whole=False)
        return
    if not remove(here.store, here.home, study):
        raise Problem(409, "The study is in use", "A job judges it. Cancel that, or wait until it has ended.")


@router.get("/api/v1/deliveries")
def list_deliveries(
    here: Here,
    _user: Viewer,
    state: Annotated[list[DeliveryState] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """List results on their way to peers, the newest first; those that are `dead` failed too often."""
    statement = select(models.Delivery)
    if state:
        statement = statement.where(models.Delivery.state.in_(state))
    with here.store.session() as session:
        rows, following = page(session, statement, _NEWEST, limit, cursor)
        return Page[Delivery](items=[_delivery(row) for row in rows], next=following)


@router.post("/api/v1/deliveries/{delivery}/retry")
def retry_delivery(here: Here, _user: Reader, delivery: InPath) -> Delivery:
    """Try to send a result again at once, with all its tries; one that was sent stays so."""
    with here.store.write() as session:
        row = deliveries.retry(session, delivery)
        if row is None:
            raise not_found("delivery")
        return _delivery(row)


def _delivery(row: models.Delivery) -> Delivery:
    return Delivery(**{name: getattr(row, name) for name in Delivery.model_fields})
