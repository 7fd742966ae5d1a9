"""Logins: a browser that showed a token, or came back from an identity provider, known by a cookie.

The cookie is 256 random bits, new at every login, and is kept as a hash. Its request token (the header
X-CSRF-Token of unsafe calls) is derived from it, so that it is the same in every tab, and nothing that is
kept can be used.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from atypia.service.access.settings import AccessSettings
from atypia.service.access.tokens import hash_of, new_secret
from atypia.service.access.users import User
from atypia.service.store.models import Login, Token, now

COOKIE, SECURE_COOKIE = "atypia", "__Host-atypia"
HEADER = "x-csrf-token"
SLIDE = timedelta(minutes=1)


@dataclass(frozen=True)
class Found:
    """A valid login: who it is, and whether its end is to be moved on."""

    user: User
    stale: bool


def cookie_name(scheme: str) -> str:
    """Return the name of the cookie; under TLS one that no other host can set (RFC 6265bis, `__Host-`)."""
    return SECURE_COOKIE if scheme == "https" else COOKIE


def csrf_of(secret: str) -> str:
    """Return the request token that belongs to a cookie."""
    return hmac.new(secret.encode(), b"atypia request token", hashlib.sha256).hexdigest()


def begin(
    session: Session, settings: AccessSettings, name: str, role: str, token: str | None, old: str | None
) -> str:
    """Make a login and return its cookie; the login of an `old` cookie ends, and those that are over go."""
    session.execute(delete(Login).where(Login.expires < now()))
    if old is not None:
        end(session, old)
    secret = new_secret()
    row = Login(hash=hash_of(secret), csrf=hash_of(csrf_of(secret)), name=name, role=role, token=token)
    row.created = now()
    row.expires = _end(row, settings)
    session.add(row)
    return secret


def find(session: Session, settings: AccessSettings, secret: str) -> Found | None:
    """Return the valid login of a cookie, or None: also where its token was revoked or is over."""
    row = session.scalar(select(Login).where(Login.hash == hash_of(secret)))
    if row is None or row.expires <= now() or row.created + timedelta(hours=settings.login_hours) <= now():
        return None
    role = row.role
    if row.token is not None:
        token = session.get(Token, row.token)
        if token is None or token.revoked or (token.expires is not None and token.expires <= now()):
            return None
        role = token.role
    return Found(User(row.name, role, "login", row.id), _end(row, settings) - row.expires >= SLIDE)


def keep(session: Session, settings: AccessSettings, login: str) -> None:
    """Move the end of a login on, for it was used now."""
    row = session.get(Login, login)
    if row is not None:
        row.expires = _end(row, settings)


def end(session: Session, secret: str) -> None:
    """End the login of a cookie; one that is not known is no error."""
    session.execute(delete(Login).where(Login.hash == hash_of(secret)))


def is_own(secret: str, given: str | None) -> bool:
    """Tell whether a header has the request token of a cookie."""
    return given is not None and hmac.compare_digest(csrf_of(secret).encode(), given.encode())


def _end(row: Login, settings: AccessSettings) -> datetime:
    idle, whole = timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.login_hours)
    return min(now() + idle, row.created + whole)
