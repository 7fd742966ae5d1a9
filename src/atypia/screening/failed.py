"""Errors on their way between processes: not all of them survive it as they are."""

from __future__ import annotations

from dataclasses import dataclass

from atypia import errors
from atypia.errors import AtypiaError

_OS = "OSError"


@dataclass(frozen=True)
class Failed:
    """An error of ours, or of the operating system with its `code`, by the name of its class."""

    kind: str
    message: str
    code: int | None = None


def failed(error: AtypiaError | OSError) -> Failed:
    """Return what tells of an error elsewhere."""
    if isinstance(error, OSError):
        return Failed(_OS, error.strerror or str(error), error.errno)
    return Failed(type(error).__name__, str(error))


def risen(failed: Failed) -> AtypiaError | OSError:
    """Return the error again, as one of the same class where the message is all that it takes."""
    if failed.kind == _OS:
        return OSError(failed.message) if failed.code is None else OSError(failed.code, failed.message)
    kind = getattr(errors, failed.kind, AtypiaError)
    error: AtypiaError = AtypiaError(failed.message) if "__init__" in vars(kind) else kind(failed.message)
    return error
