"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atypia.errors import OutputError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which takes its place where all goes well and vanishes else.

    The folder is made where it is missing. An OSError inside, as of a full disk, becomes an OutputError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        _remove(temporary)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that appears whole or not at all; text as UTF-8, what is no character in it escaped.

    Raises OutputError where it cannot be written.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(
            content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        )


def not_written(path: Path, error: OSError) -> OutputError:
    """Return the error that tells the user which file could not be written, why, and what to do."""
    return OutputError(
        f"{path}: could not be written ({error.strerror or error}). "
        "Make room there or choose another place, and run the command again."
    )


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # its folder is gone or was never one: the error that led here says more
