"""The log: a line of JSON for each event on standard error, with no name, identifier or path in it."""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

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
        # A line in one piece, for several processes write here; 'print' would write its end by itself.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
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


@contextmanager
def without_words() -> Iterator[None]:
    """Tell of what no code expected by its kind and place: what it says may quote a scan, a path or a row."""
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    log = structlog.get_logger("atypia")

    def tell(kind: type[BaseException] | None, trace: TracebackType | None) -> None:
        log.error("unexpected", error=None if kind is None else kind.__name__, where=place_of(trace))

    sys.excepthook = lambda kind, _error, trace: tell(kind, trace)
    threading.excepthook = lambda told: tell(told.exc_type, told.exc_traceback)
    sys.unraisablehook = lambda told: tell(told.exc_type, told.exc_traceback)
    try:
        with warnings.catch_warnings():
            logging.captureWarnings(True)
            yield
    finally:
        logging.captureWarnings(False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = before


def place_of(trace: TracebackType | None) -> str | None:
    """Return where an error was raised, as `file.py:12`."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


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
