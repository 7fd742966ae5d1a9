"""New jobs: from files that are sent, or from a path on the server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from atypia.service import intake
from atypia.service.api import schemas, shown
from atypia.service.api.enqueuing import Made, Wish, key_of
from atypia.service.api.enqueuing import Request as Wanted
from atypia.service.api.multipart import Form, boundary_of, read_form
from atypia.service.api.problems import Problem
from atypia.service.api.roles import Reader
from atypia.service.api.serving import Here, Serving
from atypia.service.store import removal
from atypia.service.store.models import File

router = APIRouter(tags=["jobs"])
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
RESULTS = ("seg", "sr", "sc")
NO_SCAN = 415
"""The problem then has `file`, the place, from 0, of the file that is none: the others can be sent again."""
_FORM = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "Pictures, .nii, .nii.gz, .dcm, or .zip of these.",
        },
        "screener": {"type": "string", "description": "Identifier; by default the default Screener."},
        "results": {
            "type": "string",
            "description": "Of seg, sr and sc, with commas: DICOM results to make.",
        },
        "judge_all": {"type": "boolean", "description": "Judge also what is unfit to be judged."},
        "split": {"type": "boolean", "description": "One job for each file."},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": {"$ref": "#/components/schemas/PathJob"}},
        },
    }
}


@router.post(
    "/jobs",
    status_code=202,
    response_model=schemas.Job | schemas.Page[schemas.Job],
    openapi_extra=_BODY,
    responses={
        200: {"description": "The jobs that this Idempotency-Key made before.", "model": schemas.Job},
        413: {"model": schemas.ProblemDetails},
        415: {"model": schemas.ProblemDetails},
        507: {"model": schemas.ProblemDetails},
    },
)
async def create_job(
    request: Request,
    here: Here,
    user: Reader,
    split: Annotated[
        bool, Query(description="One job for each file; then a page of jobs comes back.")
    ] = False,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=200, description="The same key gives the same jobs, however often sent."),
    ] = None,
) -> Response:
    """Make a job of uploaded files, or of a path on the server (JSON) below a folder that it allows."""
    key = key_of(user.name, idempotency_key)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return await _of_path(request, here, user.name, key)
        return await _of_upload(request, here, user.name, key, split)
    except (Problem, intake.Refused) as error:
        here.meters.refused(error.status)
        raise


async def _of_upload(request: Request, here: Serving, by: str, key: str | None, split: bool) -> Response:
    limits = here.settings.limits
    form: Form[intake.Accepted] = Form(
        boundary_of(request),
        lambda name: intake.Receiving(here.settings, here.home, name),
        limits.files_per_job,
    )
    try:
        await read_form(request, form, limits.upload_bytes)
        if not form.files:
            raise Problem(422, "No files", "Expected at least one part with a file, called files; got none.")
        wish = _wish(form, split)
        jobs, fresh = await _enqueued(request, Wanted(by, key, wish, _files(form, wish.split, here)))
    except BaseException as error:
        await run_sync(_forget, here, [(one.sha256, one.suffix) for one in form.files])
        if isinstance(error, intake.Refused) and error.status == NO_SCAN:
            place = len(form.files)
            raise Problem(error.status, error.title, error.detail, file=place) from error
        raise
    here.meters.uploaded(form.size, len(form.files))
    return _answer(here, jobs, fresh, wish.split)


async def _of_path(request: Request, here: Serving, by: str, key: str | None) -> Response:
    try:
        asked = schemas.PathJob.model_validate_json(await request.body())
    except ValidationError as error:
        told = "; ".join(
            ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"])))
            for one in error.errors(include_input=False)
        )
        raise Problem(422, "The request is not as it must be", told) from error
    path = await run_sync(intake.allowed, here.settings.roots, asked.path)
    wish = Wish(asked.screener, tuple(dict.fromkeys(asked.results)), asked.judge_all)
    jobs, fresh = await _enqueued(request, Wanted(by, key, wish, path))
    return _answer(here, jobs, fresh, False)


async def _enqueued(request: Request, wanted: Wanted) -> Made:
    """Put jobs into the queue, together with those of other requests that wait."""
    made = await asyncio.wrap_future(request.app.state.enqueuing.submit(wanted))
    if isinstance(made, Exception):
        raise made
    return made  # type: ignore[no-any-return]


def _forget(here: Serving, uploads: list[tuple[str, str]]) -> None:
    """Remove what came with a request that made no job, unless a job of another needs it.

    A server that ends leaves it to the next start.
    """
    if uploads and not here.hub.stopped:
        with suppress(SQLAlchemyError):
            removal.clear(here.store, here.home, removal.Removed(uploads=uploads))


def _answer(here: Serving, jobs: list[schemas.Job], fresh: bool, split: bool) -> Response:
    here.wake()
    shape = schemas.Page[schemas.Job](items=jobs) if split else jobs[0]
    status = 202 if fresh else 200
    return JSONResponse(shape.model_dump(mode="json"), status, {"Location": f"{shown.API}/jobs/{jobs[0].id}"})


def _wish(form: Form[intake.Accepted], split: bool) -> Wish:
    results = tuple(
        dict.fromkeys(
            one.strip().lower()
            for text in form.fields.get("results", [])
            for one in text.split(",")
            if one.strip()
        )
    )
    if not set(results) <= set(RESULTS):
        raise Problem(422, "Unknown results", f"results: expected some of {', '.join(RESULTS)}.")
    screener = form.field("screener")
    return Wish(screener, results, _flag(form, "judge_all"), split or _flag(form, "split"))


def _flag(form: Form[intake.Accepted], name: str) -> bool:
    word = (form.field(name) or "false").lower()
    if word not in (*TRUE, *FALSE):
        raise Problem(422, "The request is not as it must be", f"{name}: expected true or false.")
    return word in TRUE


def _files(form: Form[intake.Accepted], split: bool, here: Serving) -> list[list[File]]:
    keep = here.settings.keep_names
    rows = [
        File(
            kind=one.kind,
            sha256=one.sha256,
            bytes=one.size,
            suffix=one.suffix,
            name=name[:500].replace("\0", "") if keep else None,
        )
        for one, name in zip(form.files, form.names, strict=True)
    ]
    parts = [[row] for row in rows] if split else [rows]
    for part in parts:
        for index, row in enumerate(part):
            row.index = index
    return parts
