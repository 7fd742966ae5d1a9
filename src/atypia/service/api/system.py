"""What this server is, whether it is well, and its figures."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from atypia.notice import RESEARCH_USE_ONLY
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.service import access
from atypia.service.access.users import public, user_of
from atypia.service.api import schemas
from atypia.service.api.roles import Viewer
from atypia.service.api.serving import Here, Serving
from atypia.service.store.models import Screener

router = APIRouter(tags=["server"])
probes = APIRouter(tags=["server"])
FORMATS = (*sorted(PICTURE_SUFFIXES), ".nii", ".nii.gz", ".dcm", ".zip")


@router.get("/about")
@public
def get_about(request: Request, here: Here) -> schemas.About:
    """Tell what this server is and takes, and who you are to it."""
    settings, user = here.settings, user_of(request)
    node = settings.node
    return schemas.About(
        version=version("atypia"),
        notice=RESEARCH_USE_ONLY,
        limits=schemas.Limits(
            upload_bytes=settings.limits.upload_bytes,
            files_per_job=settings.limits.files_per_job,
            screener_bytes=settings.limits.screener_bytes,
        ),
        formats=list(FORMATS),
        auth=schemas.Auth(
            required=access.is_required(request.app),
            kinds=access.kinds(request.app),
            user=None if user is None else schemas.Who(name=user.name, role=user.role),
        ),
        node=None
        if node.port is None
        else schemas.NodeAbout(ae_title=node.ae_title, port=node.port, results=list(node.results)),
        keeps_names=settings.keep_names,
        path_jobs=bool(settings.roots),
        requires_signature=settings.require_signature is not None,
    )


@probes.get("/healthz")
@public
async def get_health() -> schemas.Alive:
    """Tell that the server answers."""
    return schemas.Alive()


@probes.get("/readyz", responses={503: {"model": schemas.Ready}})
@public
def get_readiness(here: Here, response: Response) -> schemas.Ready:
    """Tell whether the server can take jobs: 200, or 503 with the checks that failed."""
    checks = _checks(here)
    if not all(checks.values()):
        response.status_code = 503
    return schemas.Ready(status="ready" if all(checks.values()) else "not ready", checks=checks)


@probes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(here: Here, _user: Viewer) -> Response:
    """Return the figures of this server, and of the queue that it shares, as Prometheus reads them."""
    text = await run_in_threadpool(generate_latest, here.meters.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _checks(here: Serving) -> dict[str, bool]:
    database = here.store.answers()
    return {
        "database": database,
        "screener": database and _has_screener(here),
        "room": here.home.free_bytes() >= here.settings.limits.free_bytes,
    }


def _has_screener(here: Serving) -> bool:
    try:
        with here.store.session() as session:
            return bool(session.scalar(select(exists().where(~Screener.retired))))
    except SQLAlchemyError:
        return False
