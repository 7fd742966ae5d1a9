"""A process that was started by another one, and ends with it: one of multiprocessing, or a command."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import connection, parent_process
from threading import Thread

PATIENCE = 10.0


def live_with_parent(end: Callable[[], None]) -> None:
    """Leave Ctrl-C to the process that started this one, and call `end` when that ends, whatever ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel, end), daemon=True).start()


def end_with_input(patience: float = PATIENCE) -> None:
    """End as by SIGTERM once standard input ends, a pipe that whoever started this process holds open.

    What does not end so within `patience` seconds ends at once.
    """
    Thread(target=_end_after_input, args=(sys.stdin.fileno(), patience), daemon=True).start()


def _end_after_input(file: int, patience: float) -> None:
    while os.read(file, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os._exit(128 + signal.SIGTERM)


def _end_after(sentinel: int, end: Callable[[], None]) -> None:
    connection.wait([sentinel])
    end()
