"""The outermost layer: refuses misshapen calls and strange hosts, dresses every answer, lets no error out."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger

from atypia.errors import StoreFailed
from atypia.service.access.calls import Call, Refusal, misshapen
from atypia.service.access.headers import secure
from atypia.service.access.hosts import is_allowed, is_loopback, origin_of, parse_host
from atypia.service.api.problems import problem_response
from atypia.service.settings import Settings

_log = get_logger(__name__)
_ANY = ("0.0.0.0", "::")


class Shell:
    """An ASGI app around another; only HTTP comes in."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._loopback = is_loopback(settings.host)
        self._hosts = allowed_hosts(settings)
        self._header_bytes = settings.access.header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(Call(scope), receive, send)

    async def _answer(self, call: Call, receive: Receive, send: Send) -> None:
        answer = Dressed(call, send)
        refusal = self._too_much(call) or misshapen(call) or self._strange_host(call)
        if refusal is not None:
            await _problem(refusal, None)(call.scope, receive, answer)  # what it asked for is not repeated
            return
        try:
            await self._app(call.scope, receive, answer)
        except asyncio.CancelledError:  # the server ends, and waits no longer
            if not answer.started:
                with suppress(Exception):
                    await refuse(call, _ENDING, receive, answer)
            raise
        except Exception as error:
            # Its message may tell of a file or a patient, and whoever runs us would log it.
            _log.error("request.failed", kind=type(error).__name__, method=call.method)
            if answer.started:
                raise ConnectionAbortedError("an answer could not be ended") from None
            away = isinstance(error, OperationalError | NoConnection | StoreFailed)
            await refuse(call, _AWAY if away else _FAILED, receive, answer)

    def _too_much(self, call: Call) -> Refusal | None:
        """Refuse headers that are too long; a server may read many at once before it counts."""
        size = sum(len(name) + len(value) + 4 for name, value in call.scope["headers"])
        target = len(call.scope.get("raw_path") or b"") + len(call.scope.get("query_string") or b"")
        if size + target <= self._header_bytes:
            return None
        detail = f"Expected at most {self._header_bytes} bytes of address and headers."
        return Refusal(431, "Headers too long", detail, {"Connection": "close"})

    def _strange_host(self, call: Call) -> Refusal | None:
        """Refuse a name that is not ours: a page elsewhere may have had it point here (DNS rebinding)."""
        host = call.host[0] if call.host is not None else ""
        if is_loopback(host) or is_allowed(host, self._hosts) or (not self._loopback and _is_address(host)):
            return None
        return Refusal(
            421,
            "Not a name of this server",
            "Call it by the name it knows, or have its administrator add this one to access.allowed_hosts.",
        )


class Dressed:
    """Sends an answer on, with the headers that every answer carries."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call, self._send = call, send
        self.started = False

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            self.started = True
            message.setdefault("headers", [])
            secure(MutableHeaders(scope=message), self._call.path, self._call.scheme)
        await self._send(message)


async def refuse(call: Call, refusal: Refusal, receive: Receive, send: Send) -> None:
    """Answer with a problem; a path of DICOMweb, which holds a UID, is not repeated."""
    instance = None if call.path.startswith("/dicomweb/") else call.path
    await _problem(refusal, instance)(call.scope, receive, send)


def _problem(refusal: Refusal, instance: str | None) -> Response:
    return problem_response(refusal.status, refusal.title, refusal.detail, refusal.headers, instance)


def allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """Return the names that the Host header may carry, besides loopback."""
    named = list(settings.access.allowed_hosts)
    public = origin_of(settings.access.public_url)
    named += [public.host] if public else []
    named += [socket.gethostname()] if settings.host in _ANY else [_bracketed(settings.host)]
    parsed = [(name, parse_host(name.removeprefix("*."))) for name in named]
    return tuple(("*." if name.startswith("*.") else "") + host[0] for name, host in parsed if host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdecimal()


_AWAY = Refusal(503, "Busy", "The database is busy, or does not answer. Try again.", {"Retry-After": "5"})
_ENDING = Refusal(
    503, "The server ends", "Nothing was kept of this request. Send it again.", {"Retry-After": "10"}
)
_FAILED = Refusal(
    500, "Internal error", "The server could not do this. Try again, or tell its administrator when it was."
)
