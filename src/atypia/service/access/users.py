"""Who asks, what their role allows, and what routes say of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import HTTPException, Request

from atypia.service.access.settings import ROLES

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

RANK = {role: rank for rank, role in enumerate(ROLES)}
PUBLIC = "__atypia_public__"
NOTE = "audit_note"


@dataclass(frozen=True)
class User:
    """Who asks: `kind` is how that is known (local, token, login), `id` is that token's or login's."""

    name: str
    role: str
    kind: str
    id: str = ""

    def may(self, role: str) -> bool:
        """Tell whether this user's role is at least `role`."""
        return RANK[self.role] >= RANK[role]


LOCAL = User("local", "admin", "local", "local")
"""Who sits at this very machine, where nobody asked for tokens."""


@dataclass(frozen=True)
class Note:
    """What a route wants the audit log to say of a call in place of what its path says."""

    action: str
    subject: str | None
    details: dict[str, Any]


def user_of(request: Request) -> User | None:
    """Return who asks, or None of somebody unknown."""
    found = getattr(request.state, "user", None)
    return found if isinstance(found, User) else None


async def current_user(request: Request) -> User:
    """Return who asks; raise a 401 where that is not known. A dependency of routes."""
    user = user_of(request)
    if user is None:
        raise HTTPException(
            401,
            "Say who you are: send the header 'Authorization: Bearer atypia_...' or log in.",
            {"WWW-Authenticate": "Bearer"},
        )
    return user


def require(role: str) -> Callable[[Request], Coroutine[Any, Any, User]]:
    """Return the dependency of a route that needs a role: viewer, reader or admin.

    It gives the User, and raises a 401 for somebody unknown, a 403 for a lesser role.
    """
    if role not in RANK:
        raise ValueError(f"Expected a role out of {', '.join(ROLES)}, received {role!r}.")

    async def allowed(request: Request) -> User:
        user = await current_user(request)
        if not user.may(role):
            raise HTTPException(403, f"This needs the role '{role}'; yours is '{user.role}'.")
        return user

    setattr(allowed, ROLE, role)
    return allowed


ROLE = "__atypia_role__"


def public(endpoint: Endpoint) -> Endpoint:
    """Mark the endpoint of a route that anybody may call."""
    setattr(endpoint, PUBLIC, True)
    return endpoint


def note(request: Request, action: str, subject: str | None = None, **details: Any) -> None:
    """Say what the audit log shall tell of this call; never contents, never a name of a patient."""
    setattr(request.state, NOTE, Note(action, subject, details))
