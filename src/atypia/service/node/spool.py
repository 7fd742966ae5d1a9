"""Instances on their way in: written to the disk as they come, and never longer than allowed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from atypia.service.home import Home
from atypia.service.node.outcome import Outcome, Refusal
from atypia.service.node.settings import NodeSettings

_BUFFER = 2**18


@dataclass(frozen=True)
class Spool:
    """Where instances are written until they are recorded."""

    home: Home
    settings: NodeSettings

    def open(self) -> Incoming:
        """Return a new file for one instance; it refuses everything where the disk is full."""
        return Incoming(self.home.tmp / f"{self.home.fresh().name}.dcm", self._limit())

    def _limit(self) -> int:
        try:
            room = self.home.free_bytes() - self.settings.free_bytes
        except OSError:
            room = 0
        return min(self.settings.instance_bytes, room)


class Incoming(BytesIO):
    """A file that takes what a sender sends, and goes on taking when it cannot keep it.

    The sender is told so at the end, by `finish`, as DICOM wants it. It is a BytesIO because pynetdicom
    collects a data set in one; nothing of it is kept there.
    """

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__()
        self.path, self.limit = path, limit
        self.size = 0
        self._out: BinaryIO | None = None
        self._failure: Outcome | None = Outcome.NO_ROOM if limit <= 0 else None
        if self._failure is None:
            try:
                self._out = path.open("xb", buffering=_BUFFER)
            except OSError:
                self._failure = Outcome.NO_ROOM

    def write(self, data: Any) -> int:
        """Append bytes to the file; beyond the limit, or where there is no room, all is dropped."""
        length = len(data)
        self.size += length
        if self.size > self.limit:
            self._give_up(Outcome.TOO_LARGE)
        if self._out is not None:
            try:
                self._out.write(data)
            except OSError:
                self._give_up(Outcome.NO_ROOM)
        return length

    def finish(self) -> Path:
        """Close the file and return it; raise Refusal where it is not all there."""
        if self._out is not None:
            try:
                self._out.close()
                flush_to_disk(self.path)
            except OSError:
                self._give_up(Outcome.NO_ROOM)
            self._out = None
        if self._failure is not None:
            raise Refusal(self._failure)
        return self.path

    def discard(self) -> None:
        """Remove the file, unless it was moved to its place."""
        self._give_up(Outcome.FAILED)

    def _give_up(self, why: Outcome) -> None:
        self._failure = self._failure or why
        out, self._out = self._out, None
        try:
            if out is not None:
                out.close()
        except OSError:
            pass  # what could not be flushed is removed
        finally:
            self.path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk itself, to outlive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
