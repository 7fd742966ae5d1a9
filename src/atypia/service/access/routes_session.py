"""A page trades a token for a cookie, and gives it back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from atypia.service.access import logins, tokens
from atypia.service.access.calls import Call
from atypia.service.access.limits import neighbourhood
from atypia.service.access.shared import Access
from atypia.service.access.users import User, note, public, user_of
from atypia.service.api.problems import Problem

router = APIRouter(tags=["access"])


class Shown(BaseModel):
    """A token, to log in with."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(max_length=200)


class Somebody(BaseModel):
    """Who asks, and how that is known: local, token or login."""

    name: str
    role: str
    kind: str


class SessionShown(BaseModel):
    """Who is logged in, and what unsafe calls of a login carry as X-CSRF-Token."""

    user: Somebody | None
    csrf: str | None = None


def access_of(request: Request) -> Access:
    """Return what access shares with its routes."""
    found = request.app.state.access
    assert isinstance(found, Access)
    return found


There = Annotated[Access, Depends(access_of)]


@router.get("/session")
@public
def show_session(request: Request) -> SessionShown:
    """Tell who asks."""
    return shown(user_of(request), request.state.cookie)


@router.post("/session")
@public
def begin_session(body: Shown, request: Request, response: Response, there: There) -> SessionShown:
    """Trade a token for a cookie."""
    call = Call(request.scope)
    note(request, "session.create")
    with there.store.write() as session:
        token = tokens.find(session, body.token.strip())
        if token is not None:
            old = call.cookie(logins.cookie_name(call.scheme))
            secret = logins.begin(session, there.settings.access, token.name, token.role, token.id, old)
            tokens.touch(session, token.id)
    if token is None:
        wait = there.failures.take(neighbourhood(call.address))
        if wait:
            seconds = {"Retry-After": str(int(wait) + 1)}
            raise Problem(429, "Too many wrong tokens", "Wait a little, then try again.", seconds)
        raise Problem(401, "Not a valid token", "The token is not known, is over, or was revoked.")
    set_cookie(response, call.scheme, secret, there)
    user = request.state.user = User(token.name, token.role, "login")
    return shown(user, secret)


@router.delete("/session", status_code=204)
@public
def end_session(request: Request, there: There) -> Response:
    """Log out: the cookie is worth nothing from now on, and what the browser kept of scans goes."""
    call = Call(request.scope)
    if request.state.cookie is not None:
        with there.store.write() as session:
            logins.end(session, request.state.cookie)
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    response.delete_cookie(logins.cookie_name(call.scheme), **_attributes(call.scheme))
    return response


def set_cookie(response: Response, scheme: str, secret: str, there: Access) -> None:
    """Give a browser the cookie of its login: unseen by scripts, and sent from our own page only."""
    seconds = int(there.settings.access.login_hours * 3600)
    response.set_cookie(logins.cookie_name(scheme), secret, max_age=seconds, **_attributes(scheme))


def shown(user: User | None, cookie: str | None) -> SessionShown:
    """Return what is told of a user."""
    told = None if user is None else Somebody(name=user.name, role=user.role, kind=user.kind)
    return SessionShown(user=told, csrf=None if cookie is None else logins.csrf_of(cookie))


def _attributes(scheme: str) -> dict[str, Any]:
    return {"path": "/", "secure": scheme == "https", "httponly": True, "samesite": "strict"}
