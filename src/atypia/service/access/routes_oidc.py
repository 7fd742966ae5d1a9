"""The way to an identity provider, and back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from structlog import get_logger

from atypia.service.access import logins, oidc
from atypia.service.access.calls import CALLBACK, Call
from atypia.service.access.provider import Provider, ProviderFailed
from atypia.service.access.routes_session import There, set_cookie
from atypia.service.access.shared import Access
from atypia.service.access.tokens import new_secret
from atypia.service.access.users import User, note, public
from atypia.service.api.problems import Problem

router = APIRouter(tags=["access"])
_log = get_logger(__name__)


@router.get("/oidc/login", response_class=RedirectResponse, status_code=303)
@public
def begin_login(request: Request, there: There, next: str = "/") -> RedirectResponse:
    """Send a browser to the identity provider; it comes back to `next`, a path of this page."""
    provider, call, secret = _provider(there), Call(request.scope), new_secret()
    try:
        place = oidc.way_out(provider, secret, _redirect(there, call))
    except ProviderFailed as error:
        raise _down(error) from error
    response = RedirectResponse(place, 303)
    value = f"{secret}.{_packed(oidc.safe_next(next))}"
    response.set_cookie(_cookie(call), value, max_age=oidc.MINUTES * 60, **_attributes(call))
    return response


@router.get(CALLBACK.removeprefix("/api/v1"), response_class=RedirectResponse, status_code=303)
@public
def end_login(request: Request, there: There) -> RedirectResponse:
    """Let in whom the identity provider sends back."""
    provider, call = _provider(there), Call(request.scope)
    secret, _, packed = request.cookies.get(_cookie(call), "").partition(".")
    try:
        if len(secret) != len(new_secret()):
            raise oidc.LoginRefused("This browser began no login, or took too long. Begin again.")
        person = oidc.way_back(provider, secret, _redirect(there, call), request.query_params)
    except oidc.LoginRefused as error:
        raise Problem(403, "Not logged in", str(error)) from error
    except ProviderFailed as error:
        raise _down(error) from error
    old = call.cookie(logins.cookie_name(call.scheme))
    with there.store.write() as session:
        cookie = logins.begin(session, there.settings.access, person.name, person.role, None, old)
    note(request, "session.create", subject_there=person.subject[:200])
    request.state.user = User(person.name, person.role, "login")
    response = RedirectResponse(oidc.safe_next(_unpacked(packed)), 303)
    set_cookie(response, call.scheme, cookie, there)
    response.delete_cookie(_cookie(call), **_attributes(call))
    return response


def _provider(there: Access) -> Provider:
    if there.provider is None:
        raise Problem(404, "No identity provider", "This server has none: see access.oidc of its settings.")
    return there.provider


def _redirect(there: Access, call: Call) -> str:
    """Return the address that the provider sends browsers back to, which it must know of."""
    return (there.settings.access.public_url.rstrip("/") or str(call.own_origin)) + CALLBACK


def _cookie(call: Call) -> str:
    return oidc.SECURE_COOKIE if call.scheme == "https" else oidc.COOKIE


def _attributes(call: Call) -> dict[str, Any]:
    """Lax, for it must come along when the provider sends the browser back."""
    return {"path": "/", "secure": call.scheme == "https", "httponly": True, "samesite": "lax"}


def _packed(path: str) -> str:
    return path.encode().hex()


def _unpacked(text: str) -> str:
    try:
        return bytes.fromhex(text).decode()
    except ValueError:
        return "/"


def _down(error: ProviderFailed) -> Problem:
    _log.error("oidc.failed", reason=str(error))
    detail = "The identity provider does not answer as expected. Try again; the server's log has more."
    return Problem(502, "No identity provider", detail)
