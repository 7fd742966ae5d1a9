"""The layer that asks who it is, whether a foreign page sent it, if it is too much, and writes it down."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger

from atypia.errors import AtypiaError
from atypia.service.access import logins
from atypia.service.access.audit import AHEAD, OPENED, Entry, Told, entry_of
from atypia.service.access.bodies import Body, BodyRefused, is_stream, is_upload, longest, too_long
from atypia.service.access.calls import CALLBACK, PROBES, Call, Refusal, is_foreign
from atypia.service.access.hosts import origin_of
from atypia.service.access.identity import WRONG, Identified
from atypia.service.access.limits import neighbourhood
from atypia.service.access.shared import Access, in_thread
from atypia.service.access.shell import refuse
from atypia.service.access.users import NOTE, Note, User

RECHECK = 10.0
"""Seconds after which a stream of events asks again who listens."""
_log = get_logger(__name__)


class Guard:
    """An ASGI app around another: what comes through is allowed, but for the roles that routes require."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        call = Call(scope)
        found = await in_thread(lambda: self._access.identity.of(call)) if call.knows_users else Identified()
        scope.setdefault("state", {}).update(user=found.user, cookie=found.cookie)
        refusal = self._refusal(call, found)
        if refusal is not None:
            if found.wrong and refusal.status == 401:
                await self._tell(call, None, Entry("token.refused"), 401)
            await refuse(call, refusal, receive, send)
            return
        async with self._place(call, found.user) as there_is_room:
            if there_is_room:
                await self._pass(call, receive, send)
            else:
                await refuse(call, _busy(1.0), receive, send)

    def _refusal(self, call: Call, found: Identified) -> Refusal | None:
        """Return why a call may not come through, or None."""
        return (
            self._wrong(call, found)
            or self._foreign(call, found)
            or self._often(call, found.user)
            or (_UNKNOWN if call.guarded and found.user is None else None)
            or too_long(call, longest(call, self._access.settings))
        )

    def _wrong(self, call: Call, found: Identified) -> Refusal | None:
        if not found.wrong:
            return None
        wait = self._access.failures.take(neighbourhood(call.address))
        return _busy(wait) if wait else WRONG

    def _foreign(self, call: Call, found: Identified) -> Refusal | None:
        """Refuse what a page elsewhere had a browser send, and what a page of ours would have signed."""
        if not call.knows_users and call.safe:
            return None
        if is_foreign(call, self._access.own) and not self._is_welcome(call):
            return _FOREIGN
        if found.cookie is not None and not call.safe:
            return None if logins.is_own(found.cookie, call.headers.get(logins.HEADER)) else _UNSIGNED
        return None

    def _is_welcome(self, call: Call) -> bool:
        """Tell whether a foreign page may call: one of the settings, with a token, or a provider."""
        if call.path == CALLBACK and call.method == "GET":
            return True
        return (
            origin_of(call.headers.get("origin", "")) in self._access.cors and "authorization" in call.headers
        )

    def _often(self, call: Call, user: User | None) -> Refusal | None:
        if user is not None and user.kind == "local":
            return None
        key = key_of(call, user)
        wait = self._access.requests.take(key)
        if not wait and is_upload(call):
            wait = self._access.uploads.take(key)
        return _busy(wait) if wait else None

    @asynccontextmanager
    async def _place(self, call: Call, user: User | None) -> AsyncIterator[bool]:
        """Hold the place of an upload, or of a stream of events, as long as it lasts."""
        places = (
            self._access.uploading if is_upload(call) else self._access.streaming if is_stream(call) else None
        )
        key = key_of(call, user)
        if places is None or not await places.enter(key):
            yield places is None
            return
        try:
            yield True
        finally:
            places.leave(key)

    async def _pass(self, call: Call, receive: Receive, send: Send) -> None:
        body = Body(receive, self._access.settings, longest(call, self._access.settings))
        answer = _Told(self, call, body, send, time.monotonic())
        with suppress(BodyRefused):
            await self._app(call.scope, body, answer)
        if answer.instead is not None:
            await refuse(call, answer.instead, receive, send)

    async def still_there(self, call: Call) -> bool:
        """Tell whether who began to listen is still known: not logged out, not revoked."""
        found = await in_thread(lambda: self._access.identity.of(call))
        return found.user is not None

    async def told(self, call: Call, status: int, headers: Headers) -> Refusal | None:
        """Write a call down; return what to answer instead where what must be written cannot be."""
        state = call.scope["state"]
        noted, user = state.get(NOTE), state.get("user")
        entry = entry_of(call, noted if isinstance(noted, Note) else None, headers.get("location", ""))
        if entry is None or not self._access.log.is_due(user, entry, status):
            return None
        written = await self._tell(call, user, entry, status)
        return _UNTOLD if entry.action in (OPENED, AHEAD) and not written else None

    async def _tell(self, call: Call, user: User | None, entry: Entry, status: int) -> bool:
        try:
            await self._access.tell(Told(user, entry, status, call.address))
        except (SQLAlchemyError, AtypiaError, OSError) as error:
            _log.error("audit.not_written", action=entry.action, kind=type(error).__name__)
            return False
        return True


class _Told:
    """Sends an answer on after it was written down, unless another is to be sent `instead`.

    A stream of events, which may last for days, ends soon after its listener lost the right to it.
    """

    def __init__(self, guard: Guard, call: Call, body: Body, send: Send, begun: float) -> None:
        self._guard, self._call, self._body, self._send = guard, call, body, send
        self._started, self._ended, self._checked = False, False, begun
        self._untold: Refusal | None = None

    @property
    def instead(self) -> Refusal | None:
        """What to answer in place of what the app says."""
        return None if self._started else self._untold or self._body.refused

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start" and self.instead is None:
            self._untold = await self._guard.told(self._call, message["status"], Headers(scope=message))
            self._started = self._untold is None
        if not self._started or self._ended:
            return
        if is_stream(self._call) and await self._is_over():
            self._ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _is_over(self) -> bool:
        if time.monotonic() - self._checked < RECHECK:
            return False
        self._checked = time.monotonic()
        return not await self._guard.still_there(self._call)


def key_of(call: Call, user: User | None) -> str:
    """Return what limits count by: the user, else the address."""
    return neighbourhood(call.address) if user is None else f"{user.kind}:{user.name}"


def _busy(wait: float) -> Refusal:
    seconds = str(max(1, int(wait + 0.999)))
    return Refusal(429, "Too many requests", "Wait a little, then go on.", {"Retry-After": seconds})


_UNKNOWN = Refusal(
    401,
    "Say who you are",
    "Send the header 'Authorization: Bearer atypia_...', or log in. The administrator makes tokens: "
    "atypia tokens add",
    {"WWW-Authenticate": "Bearer"},
)
_FOREIGN = Refusal(
    403,
    "From a foreign page",
    "Another site had your browser send this. Its origin is not in access.cors_origins.",
)
_UNSIGNED = Refusal(
    403,
    "Not signed by the page",
    "Calls of a login that change something carry X-CSRF-Token, which GET /api/v1/session tells.",
)
_UNTOLD = Refusal(
    503,
    "The audit log cannot be written",
    "Nothing is shown that cannot be written down. Tell the administrator, and try again.",
    {"Retry-After": "5"},
)
