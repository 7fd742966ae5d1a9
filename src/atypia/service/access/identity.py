"""From what a call carries to who sent it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from structlog import get_logger

from atypia.errors import AtypiaError
from atypia.service.access import logins, tokens
from atypia.service.access.calls import Call, Refusal
from atypia.service.access.hosts import is_loopback
from atypia.service.access.users import LOCAL, User
from atypia.service.settings import Settings
from atypia.service.store.database import Store

_log = get_logger(__name__)
WRONG = Refusal(
    401,
    "Not a valid token",
    "The token is not known, is over, or was revoked. Ask the administrator for another: atypia tokens add",
    {"WWW-Authenticate": 'Bearer error="invalid_token"'},
)


@dataclass(frozen=True)
class Identified:
    """Who sent a call, if known. `cookie` is the secret of a login; `wrong` tells of a token that failed."""

    user: User | None = None
    cookie: str | None = None
    wrong: bool = False


class Identity:
    """Tells who sends calls. Nothing is remembered between two, so that what is revoked ends at once."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._access, self._store = settings.access, store
        self._on_loopback = is_loopback(settings.host)
        self._made = False

    def required(self) -> bool:
        """Tell whether one has to say who one is: off loopback always, on it once a token was ever made."""
        if not self._on_loopback or self._access.oidc is not None or self._made:
            return True
        with self._store.session() as session:
            self._made = tokens.any_made(session)
        return self._made

    def of(self, call: Call) -> Identified:
        """Return who sent a call: by its token, else by its cookie, else because nobody else can be here."""
        header = call.headers.get("authorization")
        if header is not None:
            return self._of_token(header)
        cookie = call.cookie(logins.cookie_name(call.scheme))
        if cookie is not None and (user := self._of_login(cookie)) is not None:
            return Identified(user, cookie)
        if not call.forwarded and not self.required():
            return Identified(LOCAL)
        return Identified()

    def _of_token(self, header: str) -> Identified:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            return Identified(wrong=True)
        with self._store.session() as session:
            row = tokens.find(session, secret.strip())
        if row is None:
            return Identified(wrong=True)
        if tokens.is_stale(row.last_used):
            self._write(lambda session: tokens.touch(session, row.id))
        return Identified(User(row.name, row.role, "token", row.id))

    def _of_login(self, cookie: str) -> User | None:
        with self._store.session() as session:
            found = logins.find(session, self._access, cookie)
        if found is not None and found.stale:
            self._write(lambda session: logins.keep(session, self._access, found.user.id))
        return None if found is None else found.user

    def _write(self, change: Callable[[Session], None]) -> None:
        """Write when something was used; a call does not fail because that cannot be written just now."""
        try:
            with self._store.write() as session:
                change(session)
        except (SQLAlchemyError, AtypiaError, OSError) as error:
            _log.warning("access.use_not_written", kind=type(error).__name__)
