"""The log: a line of JSON for each event on standard error, with no name, identifier or path in it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_KEPT = 500
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


def tell_in_json(level: str = "info") -> None:
    """Write events of this level and above as JSON; those of libraries by their logger and level alone.

    What libraries say may quote headers and requests, so that their words stay out.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _short,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Others()]
    root.setLevel(logging.WARNING)


def _short(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {
        key: value[:_KEPT] if isinstance(value, str) and len(value) > _KEPT else value
        for key, value in event.items()
    }


class _Others(logging.Handler):
    """Tells of what libraries log: who said something, how grave it is, and what was raised, in no words."""

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger(record.name)
        log.log(record.levelno, "library", line=f"{record.module}:{record.lineno}", error=raised)


class Requests:
    """Tells of each request: method, the template of its route, status, time; never address or sender."""

    def __init__(self, app: ASGIApp, template_of: Callable[[Scope], str]) -> None:
        self._app, self._template_of = app, template_of
        self._log = structlog.get_logger("atypia.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of it when it has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = self._template_of(scope)
            took = round(1000 * (time.perf_counter() - begun), 1)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._log.info("request", method=method, route=route, status=status, milliseconds=took)
