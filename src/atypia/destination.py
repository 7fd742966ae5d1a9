"""Where results go: checked before the work begins, held by one job, and rid of what an earlier run left."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    with _held(out / LOCK, f"{out}: expected a folder that no other job writes to"):
        yield


@contextmanager
def held_file(out: Path) -> Iterator[None]:
    """Do the same for a file that is to be written into a folder that exists, and all beside it."""
    with _held(out.with_name(f".{out.name}.lock"), f"{out}: expected a file that no other job writes"):
        yield


@contextmanager
def _held(path: Path, expected: str) -> Iterator[None]:
    file = _locked(path, expected)
    try:
        yield
    finally:
        _unlink(path, file)  # while it is held: who has opened it meanwhile sees that it is another's
        os.close(file)
        if sys.platform == "win32":  # nothing that is open can be removed there, nor what another has open
            with suppress(OSError):
                path.unlink()


def _locked(path: Path, expected: str) -> int:
    """Return the open file of the lock, held until it is closed."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise not_written(path, error) from error
        if lock(file) is False:
            os.lseek(file, 0, os.SEEK_SET)
            who = os.read(file, 200).decode("utf-8", "replace").strip()
            os.close(file)
            raise OutputError(
                f"{expected}, received one that {who or 'another process'} is writing to. Wait for it, or "
                "name another with -o."
            )
        if _is_at(path, file):
            with suppress(OSError):  # of a full disk: it is held, though it does not tell by whom
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
                os.write(file, f"process {os.getpid()} on {platform.node()}".encode())
            return file
        os.close(file)  # its holder has removed it: what is locked is no longer what others would open


def _is_at(path: Path, file: int) -> bool:
    """Tell whether what is open is what others would open."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _unlink(path: Path, file: int) -> None:
    if _is_at(path, file):
        with suppress(OSError):
            path.unlink()


def _remove(path: Path, out: Path) -> None:
    path.unlink()
    if path.parent != out and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
