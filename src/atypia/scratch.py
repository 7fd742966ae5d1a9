"""Folders for work that need not outlive the process; those of processes that were killed are swept away."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import final

from atypia.locking import lock

PREFIX, MARK = "atypia-", ".held"
_FRESH = f"{MARK}.new"
UNUSED_SECONDS = 3600.0


@final
class Scratch(tempfile.TemporaryDirectory[str]):
    """A folder among the temporary ones that goes when it is closed; a context that gives its name.

    It is locked while it is in use. Where its process is killed it stays, with the scans that were prepared
    in it, until the next process that needs such a folder.
    """

    def __init__(self) -> None:
        _sweep_once(tempfile.gettempdir())
        super().__init__(prefix=PREFIX, ignore_cleanup_errors=True)
        self._free = weakref.finalize(self, os.close, _hold(Path(self.name)))

    def cleanup(self) -> None:
        """Remove the folder and all that is in it."""
        self._free()
        super().cleanup()


def sweep(folder: Path) -> None:
    """Remove the folders of this user's that processes which are no more have left in `folder`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                path = Path(entry)
                if _is_left(path):
                    shutil.rmtree(path, ignore_errors=True)


@cache
def _sweep_once(folder: str) -> None:
    sweep(Path(folder))


def _hold(folder: Path) -> int:
    """Lock a new folder; return the number of the open file that holds it."""
    fresh = folder / _FRESH
    file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    lock(file)
    with suppress(OSError):
        fresh.rename(folder / MARK)  # locked when it appears: nobody takes it for one that was left
    return file


def _is_left(folder: Path) -> bool:
    """Tell whether a folder is this user's, was held, and is held no more; or was never put to use."""
    try:
        status = folder.lstat()
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            return False
        if not (folder / MARK).exists():
            inside = {path.name for path in folder.iterdir()}
            return inside <= {_FRESH} and status.st_mtime < time.time() - UNUSED_SECONDS
        file = os.open(folder / MARK, os.O_RDWR)
    except OSError:
        return False
    try:
        return lock(file) is True
    finally:
        os.close(file)
