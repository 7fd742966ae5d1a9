"""Locks on open files, which end with the process that holds them, however that ends."""

from __future__ import annotations

import sys


def lock(file: int) -> bool | None:
    """Lock an open file, given by its number, for this process, and tell whether that went well.

    None where its file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
