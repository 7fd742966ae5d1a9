"""The end of a server: all its parts at once, and within the time that is promised, whatever hangs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import structlog

END_SECONDS = 9.0
"""At most so long after a signal the process is gone: the next start takes up what it had begun."""
PARTS_SECONDS = 7.5
"""So long its parts have to let go of what they are at."""
_log = structlog.get_logger("atypia.server")


class Ending:
    """Ends the parts of a server, each in a thread of its own.

    `parts` are called to end them, by their names. Once `promise` was called the process ends within
    `seconds`, if need be by `leave` in the middle of anything, and `kill` is called before that: nothing that
    was accepted is lost by it, as by a loss of power.
    """

    def __init__(
        self,
        parts: dict[str, Callable[[], None]],
        kill: Callable[[], None],
        seconds: float = END_SECONDS,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._threads = [
            threading.Thread(target=part, name=f"ending {name}", daemon=True) for name, part in parts.items()
        ]
        self._kill, self._seconds, self._leave = kill, seconds, leave
        self._until: float | None = None
        self._begun = False
        self._promised = threading.Event()
        threading.Thread(target=self._keep_promise, name="promised end", daemon=True).start()

    def promise(self) -> None:
        """Let the process end in time; may be called from a signal's handler, again and again."""
        if self._until is None:
            self._until = monotonic() + self._seconds
            self._promised.set()

    def begin(self) -> None:
        """Begin to end the parts, once."""
        if not self._begun:
            self._begun = True
            _log.info("ending")
            for thread in self._threads:
                thread.start()

    def wait(self) -> None:
        """Wait until all parts have ended, but no longer than they may take."""
        self.begin()
        share = PARTS_SECONDS / END_SECONDS * self._seconds
        until = monotonic() + share if self._until is None else self._until - self._seconds + share
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
            if thread.is_alive():
                _log.warning("not ended in time", part=thread.name.removeprefix("ending "))

    def _keep_promise(self) -> None:
        self._promised.wait()
        assert self._until is not None
        threading.Event().wait(max(0.0, self._until - monotonic()))
        try:
            _log.warning("ended before all had let go")
            self._kill()
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
        finally:
            self._leave(0)
