"""Files that are there whole or not at all."""

from __future__ import annotations

import glob
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from atypia.errors import OutputError

LEFT_SECONDS = 3600.0
"""So long a file that is half written may lie untouched until it is taken for one that was left."""
_NUMBERS = count()  # several threads may write one file


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which takes its place where all goes well and vanishes else.

    The folder is made where it is missing. An OSError inside, as of a full disk, becomes an OutputError.
    """
    temporary = path.with_name(f".{path.name}.{next(_NUMBERS)}.{os.getpid()}.part")
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


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what processes that were killed have left half written in a folder: of one file, or of all.

    What a process of this machine still writes stays, and so does what was touched in the last hour, for
    another machine may be writing it.
    """
    left: list[Path] = []
    with suppress(OSError):  # no such folder, or one that may not be listed: what is left there is no matter
        left += folder.glob(".*.part" if name is None else f".{glob.escape(name)}.*.part")
    for path in left:
        pid = path.name.split(".")[-2]
        with suppress(OSError):  # another process sweeps it, or it may not be removed
            if pid.isdecimal() and not _lives(int(pid)) and path.stat().st_mtime < time.time() - LEFT_SECONDS:
                path.unlink()


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return True
    if sys.platform == "win32":  # to ask there is to end it
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # its folder is gone or was never one: the error that led here says more
