"""What is told of failures: without the names and places of files, which may name a patient."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from atypia.errors import AtypiaError, MissingExtra
from atypia.service.intake import Refused

_EXPECTED = ": expected"


def failure(text: str, label: str, paths: Iterable[Path]) -> str:
    """Return what an error says, with `label` in place of the name of its file.

    >>> failure("/data/doe.png: expected a picture, received doe.png", "file 1", [Path("/data/doe.png")])
    'file 1: expected a picture, received the file'
    """
    _, mark, after = text.partition(_EXPECTED)
    told = after if mark else text
    names = {name for path in paths for name in (str(path), str(path.parent), path.name, path.stem)}
    for name in sorted((name for name in names if len(name) > 2), key=len, reverse=True):
        told = told.replace(name, "the file")
    return f"{label}{mark}{told}" if mark else told


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error, or what led to it, is that of a disk without room."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "disk is full" in str(getattr(error, "orig", "")) or is_full(error.__cause__ or error.__context__)


def of_job(error: BaseException) -> str:
    """Return what is told of a job that could not be done at all."""
    if isinstance(error, Refused):
        return f"{error.title}. {error.detail}"
    if is_full(error):
        return "The server's disk is full. It is judged again when there is room."
    if isinstance(error, MemoryError):
        return "The server has too little memory for the scans of this job. Send fewer, or smaller ones."
    if isinstance(error, SQLAlchemyError):
        return "The database did not keep what was found. Send the job again."
    if isinstance(error, MissingExtra):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "A file of this job is no longer there. Send it again."
    if isinstance(error, AtypiaError):
        return f"The job could not be done ({type(error).__name__})."
    return f"The job could not be done: an error that should not happen ({type(error).__name__})."
