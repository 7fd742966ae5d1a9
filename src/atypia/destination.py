"""Where results go: checked before the work begins, and rid of what an earlier run left there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atypia.atomic import not_written
from atypia.errors import OutputError


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
            path.unlink()
            if path.parent != out and not any(path.parent.iterdir()):
                path.parent.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
