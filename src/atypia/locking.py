"""Locks on open files, which end with the process that holds them, however that ends."""

from __future__ import annotations

import os
import sys

_FAR = 2**30
"""Where Windows locks a byte: the same of all, and none that anybody reads, for what is locked cannot be."""


def lock(file: int) -> bool | None:
    """Lock an open file, given by its number, for this process, and tell whether that went well.

    None where its file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
