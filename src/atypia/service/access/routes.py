"""Logging in and out, tokens, and the audit log, as routes."""

from __future__ import annotations

from fastapi import APIRouter

from atypia.service.access import routes_audit, routes_oidc, routes_session, routes_tokens

router = APIRouter(prefix="/api/v1")
for part in (routes_session, routes_oidc, routes_tokens, routes_audit):
    router.include_router(part.router)
