"""What runs in each of several processes: one Screener, loaded once, that judges shards into their folders.

It takes a Given for each shard, and tells by the same line: READY once; then Seen and Warned as it goes, and
Counts when the shard is done; Failed or Broken in place of that, which is the end. It lives no longer than
the process that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import TextIO

from atypia.errors import ArtefactError, AtypiaError
from atypia.parent import live_with_parent
from atypia.reading.row import Row
from atypia.screener import Screener
from atypia.screening.failed import failed
from atypia.screening.making import hash_of
from atypia.screening.of_shard import Asked, judge_shard
from atypia.screening.order import Order

READY = "ready"
OUT_OF_MEMORY = 77
_EVERY = 0.2


@dataclass(frozen=True)
class Given:
    """A shard to be judged into a folder, with tables of this kind; `before` as for `judge_shard`."""

    rows: Sequence[Row]
    folder: Path
    kind: str
    before: int


@dataclass(frozen=True)
class Seen:
    """So many scans of the shard are judged so far."""

    count: int


@dataclass(frozen=True)
class Warned:
    """A warning, as Python would have printed it."""

    text: str


@dataclass(frozen=True)
class Broken:
    """A fault of ours, with where it happened."""

    trace: str


def work(line: Connection, file: Path, order: Order, temporary: str) -> None:
    """Judge what comes along the line until it ends; what must lie on disk meanwhile lies in `temporary`."""
    _live_with_parent(temporary)
    tempfile.tempdir = temporary
    teller = _Teller(line)
    try:
        asked = _loaded(file, order)
        teller.tell(READY)
        while (given := _next(line)) is not None:
            ticks = teller.ticks()
            counts = judge_shard(
                asked, given.rows, given.folder, given.kind, before=given.before, ticks=ticks
            )
            teller.tell(counts)
    except (AtypiaError, OSError) as error:
        teller.tell(failed(error))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception:
        teller.tell(Broken(traceback.format_exc()))


class _Teller:
    """Tells what happens here; warnings come from several threads."""

    def __init__(self, line: Connection) -> None:
        self._line, self._lock = line, Lock()
        warnings.showwarning = self._warn

    def tell(self, what: object) -> None:
        try:
            with self._lock:
                self._line.send(what)
        except OSError:  # nobody listens any more
            _end()

    def ticks(self) -> Iterator[int]:
        """Yield the number of scans that are judged, and tell it now and then."""
        count, told = 0, time.monotonic()
        while True:
            count += 1
            if time.monotonic() - told > _EVERY:
                self.tell(Seen(count))
                told = time.monotonic()
            yield count

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del file, line
        self.tell(Warned(warnings.formatwarning(message, category, filename, lineno)))


def _loaded(file: Path, order: Order) -> Asked:
    screener = Screener.load(file)
    if hash_of(file) != order.sha256:
        raise ArtefactError(
            f"{file}: expected the Screener that the job began with, received another file in its place. "
            "Put the earlier one back and give the same command again, or judge all scans anew with --anew."
        )
    return order.asked_of(screener)


def _next(line: Connection) -> Given | None:
    try:
        given: Given = line.recv()
    except EOFError:
        return None
    return given


def _live_with_parent(temporary: str) -> None:
    """Live no longer than the parent, with all that was started from here."""
    if hasattr(os, "setsid"):
        os.setsid()

    def end() -> None:
        shutil.rmtree(temporary, ignore_errors=True)
        _end()

    live_with_parent(end)


def _end() -> None:
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
