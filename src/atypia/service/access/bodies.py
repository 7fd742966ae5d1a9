"""Bodies of requests: not longer than they may be, and not slower than any honest client."""

from __future__ import annotations

import asyncio
import re
import time

from starlette.types import Message, Receive

from atypia.service.access.calls import Call, Refusal
from atypia.service.settings import Settings

UPLOADS = re.compile(r"/api/v1/(?:jobs|screeners)/?|/dicomweb/studies(?:/[^/]*)?/?")
STREAMS = re.compile(r"/api/v1/(?:events|jobs/[^/]+/events)")
GRACE = 60.0
"""Seconds of waiting after which the mean speed of a body counts."""
CLOSE = {"Connection": "close"}


class BodyRefused(Exception):
    """Raised where a route reads on in a body that was refused."""


def is_upload(call: Call) -> bool:
    """Tell whether a call may carry files."""
    return call.method in ("POST", "PUT") and UPLOADS.fullmatch(call.path) is not None


def is_stream(call: Call) -> bool:
    """Tell whether a call asks for events, whose answer does not end."""
    return call.method == "GET" and STREAMS.fullmatch(call.path) is not None


def longest(call: Call, settings: Settings) -> int:
    """Return how many bytes the body of a call may have."""
    if not is_upload(call):
        return settings.access.json_bytes
    if call.path.startswith("/api/v1/screeners"):
        return settings.limits.screener_bytes + settings.access.json_bytes
    return settings.limits.upload_bytes + settings.access.json_bytes


def too_long(call: Call, most: int) -> Refusal | None:
    """Refuse a call that announces too long a body."""
    text = call.headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        return Refusal(400, "Not a length", "Expected a number in Content-Length.", CLOSE)
    return _over(most) if len(text) > 18 or int(text) > most else None


def _over(most: int) -> Refusal:
    return Refusal(413, "Too much", f"Expected at most {most} bytes in the body of this request.", CLOSE)


class Body:
    """Hands a body on as it comes, until it is too long or too slow; `refused` then says why."""

    def __init__(self, receive: Receive, settings: Settings, most: int) -> None:
        self._receive, self._access, self._most = receive, settings.access, most
        self._bytes, self._waited, self._whole = 0, 0.0, False
        self.refused: Refusal | None = None

    async def __call__(self) -> Message:
        """Return the next message of the body; raise BodyRefused."""
        if self.refused is not None:
            raise BodyRefused
        if self._whole:
            return await self._receive()
        message = await self._next()
        if message["type"] == "http.request":
            self._whole = not message.get("more_body", False)
            self._bytes += len(message.get("body", b""))
            self._check()
        return message

    async def _next(self) -> Message:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._access.body_seconds):
                return await self._receive()
        except TimeoutError:
            self._refuse(_SLOW)
            raise BodyRefused from None
        finally:
            self._waited += time.monotonic() - begun

    def _check(self) -> None:
        if self._bytes > self._most:
            self._refuse(_over(self._most))
        elif self._waited > GRACE and self._bytes < self._waited * self._access.body_bytes_per_second:
            self._refuse(_SLOW)
        if self.refused is not None:
            raise BodyRefused

    def _refuse(self, why: Refusal) -> None:
        self.refused = why


_SLOW = Refusal(408, "Too slow", "The rest of the request did not come in time. Send it again.", CLOSE)
