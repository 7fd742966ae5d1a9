"""The app: all routes with what they share, and access around them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from anyio import CapacityLimiter, move_on_after
from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atypia.notice import RESEARCH_USE_ONLY
from atypia.service import access
from atypia.service.access.routes import router as access_routes
from atypia.service.api import (
    description,
    drift,
    events,
    feedback,
    files,
    findings,
    jobs,
    page,
    problems,
    screeners,
    system,
    thresholds,
    uploads,
)
from atypia.service.api.enqueuing import enqueue_all
from atypia.service.api.hub import Hub
from atypia.service.api.meters import Meters
from atypia.service.api.serving import Serving
from atypia.service.api.shown import API
from atypia.service.home import Home
from atypia.service.node.routes import close as close_node
from atypia.service.node.routes import router as node_routes
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.together import Together

ROUTERS = (system, uploads, jobs, events, findings, files, feedback, screeners, thresholds, drift)
_ABOUT = (
    f"{RESEARCH_USE_ONLY} Scans come in as jobs; each picture and each volume becomes a finding. Errors are "
    "problem details (RFC 9457). Where authentication is on, send `Authorization: Bearer TOKEN`."
)

_CLOSE_SECONDS = 3.0
_enqueuing = ThreadPoolExecutor(1, "enqueuing")


def create_app(settings: Settings, store: Store, home: Home, wake: Callable[[], None]) -> FastAPI:
    """Return the app of a server; `wake` tells workers of this machine that a job waits."""
    hub = Hub(lambda last: events.read_events(store, last), lambda: events.latest_event(store))
    meters = Meters(store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        hub.stop()
        with move_on_after(_CLOSE_SECONDS):  # in a thread of its own: those of requests may all be taken
            await run_sync(close_node, _app.state, abandon_on_cancel=True, limiter=CapacityLimiter(1))

    app = FastAPI(
        title="Atypia",
        summary="Finds abnormal brain MRI scans, and says where and how sure.",
        description=_ABOUT,
        version=version("atypia"),
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_name_of,
        redirect_slashes=False,
    )
    app.state.serving = serving = Serving(settings, store, home, wake, hub, meters)
    app.state.enqueuing = Together(_enqueuing, partial(enqueue_all, serving))
    problems.install(app)
    description.describe(app)
    whole = APIRouter(prefix=API)
    for part in ROUTERS:
        whole.include_router(part.router)
    for router in (whole, system.probes, access_routes, node_routes, page.router):
        app.include_router(router)
    app.add_middleware(Measured, meters=meters)
    access.install(app, settings, store)
    return app


def _name_of(route: APIRoute) -> str:
    """Call an operation by its function: what clients are generated from stays readable."""
    return route.name


class Measured:
    """Counts requests by the template of their route, and the time until each answer began."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - begun
                self._meters.answered(_method(scope), template_of(scope), int(message["status"]), seconds)
            await send(message)

        await self._app(scope, receive, noted)


def template_of(scope: Scope) -> str:
    """Return the template of the route that a request went to, with the prefix of its router."""
    template = str(getattr(scope.get("route"), "path", "none"))
    of_api = str(scope["path"]).startswith(f"{API}/") and template != page.EVERYTHING
    return f"{API}{template}" if of_api and template.startswith("/") and API not in template else template


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS") else "other"
