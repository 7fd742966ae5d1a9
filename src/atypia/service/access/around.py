"""Access, put around an app."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from atypia.service.access.guard import Guard
from atypia.service.access.shared import Access
from atypia.service.access.shell import Shell
from atypia.service.settings import Settings
from atypia.service.store.database import Store

METHODS = ("GET", "POST", "PUT", "DELETE")
HEADERS = ("Authorization", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Range")
EXPOSED = ("ETag", "Location", "Retry-After")


def install(app: FastAPI, settings: Settings, store: Store) -> None:
    """Put access around an app: each layer added lies around those before it."""
    access = Access(settings, store)
    app.state.access = access
    app.add_middleware(Guard, access=access)
    if settings.access.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[str(origin) for origin in access.cors],
            allow_methods=METHODS,
            allow_headers=HEADERS,
            expose_headers=EXPOSED,
        )
    app.add_middleware(Shell, settings=settings)
    if settings.access.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.access.trusted_proxies))


def kinds(app: FastAPI) -> list[str]:
    """Return the ways to log in that a server offers: token, oidc."""
    found: Access = app.state.access
    return found.kinds()


def is_required(app: FastAPI) -> bool:
    """Tell whether one has to say who one is. It may ask the database: call it from a thread."""
    found: Access = app.state.access
    return found.identity.required()
