"""Jobs: list, follow, cancel and delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from atypia.service.api import schemas, shown
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Reader, Viewer
from atypia.service.api.serving import Here
from atypia.service.store import queue, removal
from atypia.service.store.cursor import Sort, page
from atypia.service.store.models import ENDED, Job

router = APIRouter(tags=["jobs"])
NEWEST = Sort("-created", Job.created, Job.id, descending=True)


@router.get("/jobs")
def list_jobs(
    here: Here,
    _user: Viewer,
    state: Annotated[list[schemas.JobState] | None, Query()] = None,
    limit: schemas.Limit = 50,
    cursor: schemas.Cursor = None,
) -> schemas.Page[schemas.Job]:
    """List jobs, the newest first."""
    statement = select(Job)
    if state:
        statement = statement.where(Job.state.in_(state))
    with here.store.session() as session:
        rows, following = page(session, statement, NEWEST, limit, cursor)
        return schemas.Page[schemas.Job](items=[shown.job(row) for row in rows], next=following)


@router.get("/jobs/{job}")
def get_job(here: Here, _user: Viewer, job: schemas.InPath) -> schemas.Job:
    """Tell of one job."""
    with here.store.session() as session:
        row = session.get(Job, job)
        if row is None:
            raise not_found("job")
        return shown.job(row)


@router.post("/jobs/{job}/retry", responses={409: {"model": schemas.ProblemDetails}})
def retry_job(here: Here, _user: Reader, job: schemas.InPath) -> schemas.Job:
    """Judge a job that failed again, as when the disk has room, or memory was added."""
    with here.store.write() as session:
        row = queue.retry(session, job)
        if row is None:
            if session.get(Job, job) is None:
                raise not_found("job")
            raise Problem(409, "It did not fail", "Only a job that failed can be tried again.")
        if not all(here.home.upload(one.sha256, one.suffix).is_file() for one in row.files):
            raise Problem(409, "The upload is gone", "Its files are no longer there. Send them again.")
        told = shown.job(row)
    here.wake()
    return told


@router.delete("/jobs/{job}", response_model=schemas.Job, responses={204: {"description": "It is deleted."}})
def delete_job(here: Here, user: Reader, job: schemas.InPath) -> schemas.Job | Response:
    """Cancel a job that has not ended (200), or delete one that has, with all that derives from it (204).

    To delete takes the role admin.
    """
    with here.store.write() as session:
        if queue.cancel(session, job):
            return shown.job(session.get_one(Job, job))
        row = session.get(Job, job)
        if row is None:
            raise not_found("job")
        if row.state in ENDED and user.role != "admin":
            raise Problem(403, "Not allowed", "To delete what was found takes the role admin.")
        gone = removal.remove_job(session, row)
    removal.clear(here.store, here.home, gone)
    return Response(status_code=204)
