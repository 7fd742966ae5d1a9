"""A process that was started by another one, and ends with it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import connection, parent_process
from threading import Thread


def live_with_parent(end: Callable[[], None]) -> None:
    """Leave Ctrl-C to the process that started this one, and call `end` when that ends, whatever ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel, end), daemon=True).start()


def _end_after(sentinel: int, end: Callable[[], None]) -> None:
    connection.wait([sentinel])
    end()
