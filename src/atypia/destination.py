"""Where results go: checked before the work begins, held by one job, and rid of what an earlier run left."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from atypia.atomic import not_written, sweep
from atypia.errors import OutputError
from atypia.locking import lock

LOCK = ".atypia.lock"


def claim_folder(out: Path) -> None:
    """Make the folder for results; raise OutputError where files cannot be written there."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: expected a folder for the results, received a file. Name another with -o.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise not_written(out, error) from error
    sweep(out)
    sweep(out / "figures")


def claim_file(out: Path) -> None:
    """Make the folder of a file to be written; raise OutputError where it cannot be written there."""
    if out.is_dir():
        raise OutputError(
            f"{out}: expected the name of a file, received a folder. Name a file in it with -o."
        )
    claim_folder(out.parent)


@contextmanager
def replacing(out: Path, *patterns: str) -> Iterator[None]:
    """Remove, once all went well, the files of an earlier run that were not written anew.

    `patterns` name them below `out`. Pictures of one Screener beside the figures of another mislead.
    """
    before = {path: _identity(path) for pattern in patterns for path in out.glob(pattern) if path.is_file()}
    yield
    for path, identity in before.items():
        if path.exists() and _identity(path) == identity:
            _remove(path, out)


def clear(out: Path, *patterns: str) -> None:
    """Remove the files that `patterns` name below `out`, and the folders that are left empty."""
    for pattern in patterns:
        for path in out.glob(pattern):
            if path.is_file():
                _remove(path, out)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold a folder that exists for this job alone; raise OutputError where another one holds it.

    The lock dies with the process, however that ends. A file system that knows no locks holds none.
    """
    path = out / LOCK
    file = _locked(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who has opened it meanwhile sees that it is another's
        file.close()


def _locked(path: Path) -> IO[str]:
    """Return the file of the lock, held until it is closed."""
    while True:
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise not_written(path, error) from error
        if lock(file.fileno()) is False:
            file.seek(0)
            who = file.read().strip()
            file.close()
            raise OutputError(
                f"{path.parent}: expected a folder that no other job writes to, received one that "
                f"{who or 'another process'} is writing to. Wait for it, or name another with -o."
            )
        with suppress(OSError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                file.truncate(0)
                file.write(f"process {os.getpid()} on {platform.node()}")
                file.flush()
                return file
        file.close()  # its holder has removed it: what is locked is no longer what others would open


def _remove(path: Path, out: Path) -> None:
    path.unlink()
    if path.parent != out and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
