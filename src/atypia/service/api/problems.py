"""Errors as clients see them: problem details (RFC 9457), without paths of this machine or tracebacks."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from structlog import get_logger

from atypia.errors import AtypiaError, OutputError, StoreFailed
from atypia.service.intake.refused import Refused
from atypia.service.store.cursor import BadCursor

MEDIA_TYPE = "application/problem+json"
NO_ROOM = "There is no room left on the disk of the server. Ask its administrator to make some."
_FULL = (errno.ENOSPC, errno.EDQUOT)
_log = get_logger(__name__)


class Problem(Exception):
    """What a client is told: a status, a short title, what is expected, and perhaps more members."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.status, self.title, self.detail = status, title, detail
        self.headers, self.more = dict(headers or {}), more
        super().__init__(f"{status} {title}: {detail}")


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there, or is not there any more."""
    return Problem(
        404, f"No such {what}", f"There is no {what} of this identifier; it may have been deleted."
    )


def problem_response(
    status: int,
    title: str,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
    **more: Any,
) -> Response:
    """Return a problem as a response, also for middleware that no handler covers."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance}
    return JSONResponse({**body, **more}, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error of an app told as a problem."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(Refused, _of_refused)
    app.add_exception_handler(BadCursor, _of_cursor)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(OSError, _of_system)
    app.add_exception_handler(AtypiaError, _of_atypia)
    app.add_exception_handler(SQLAlchemyError, _of_database)
    app.add_exception_handler(Exception, _of_anything)


def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(
        error.status, error.title, error.detail, error.headers, request.url.path, **error.more
    )


def _of_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem_response(error.status, error.title, error.detail, None, request.url.path)


def _of_cursor(request: Request, error: Exception) -> Response:
    return problem_response(422, "Not a cursor", str(error), None, request.url.path)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = str(error.detail) if str(error.detail) != title else ""
    return problem_response(error.status_code, title, detail, error.headers, request.url.path)


def _of_validation(request: Request, error: Exception) -> Response:
    """Tell which field is wrong and why, but not what was sent: that may be anything."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": str(one["msg"])}
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['where']}: {one['what']}" for one in errors[:5])
    return problem_response(
        422, "The request is not as it must be", detail, None, request.url.path, errors=errors
    )


def _of_system(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno in _FULL:
        return problem_response(507, "No room left", NO_ROOM, None, request.url.path)
    return _of_anything(request, error)


def _of_atypia(request: Request, error: Exception) -> Response:
    """Tell of an error that no route expected by its kind: its message names files of this machine."""
    if isinstance(error, OutputError):
        return problem_response(507, "No room left", NO_ROOM, None, request.url.path)
    if isinstance(error, StoreFailed):
        return _busy(request)
    return _of_anything(request, error)


def _of_database(request: Request, error: Exception) -> Response:
    """Tell of a database that is full, locked or away; its message holds what was to be written."""
    if "disk is full" in str(getattr(error, "orig", "")):
        return problem_response(507, "No room left", NO_ROOM, None, request.url.path)
    if isinstance(error, OperationalError | NoConnection):
        _log.error("database.failed", kind=type(error).__name__, method=request.method)
        return _busy(request)
    return _of_anything(request, error)


def _busy(request: Request) -> Response:
    return problem_response(
        503,
        "Busy",
        "The database is busy, or does not answer. Try again.",
        {"Retry-After": "5"},
        request.url.path,
    )


def _of_anything(request: Request, error: Exception) -> Response:
    """Log the kind of an error alone: its message may hold a path, or what a file says of a patient."""
    _log.error("request.failed", kind=type(error).__name__, method=request.method)
    detail = "The server could not do this. Its log says when; try again, or tell its administrator."
    return problem_response(500, "Internal error", detail, None, request.url.path)
