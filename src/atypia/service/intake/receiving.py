"""Taking what is uploaded: chunk by chunk to disk, hashed, bounded, and looked at before it is kept."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from atypia.service.home import PRIVATE, Home
from atypia.service.intake.archive import demand_sound
from atypia.service.intake.refused import Refused, full_disk
from atypia.service.intake.sniffing import EXPECTED, HEAD, Kind, kind_of, stranger
from atypia.service.settings import Settings

CHUNK = 2**20
_LOOK_EVERY = 16 * 2**20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Accepted:
    """A file that was taken: where it lies, its hash, its size, and what it is."""

    path: Path
    sha256: str
    size: int
    kind: str
    suffix: str


class Readable(Protocol):
    """Whatever can be read from."""

    def read(self, count: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        ...


class Receiving:
    """One file on its way in: `write` its chunks, then `finish` or `discard`; nothing is visible before.

    `before` counts the bytes that the same request brought already. `declared_name` is what the sender calls
    it; only what it holds decides what it is. One thread at a time may use it.
    """

    def __init__(self, settings: Settings, home: Home, declared_name: str = "", before: int = 0) -> None:
        self._settings, self._home, self._before = settings, home, before
        self._declared = Path(declared_name).suffix.lower()[:8]
        self._path = home.fresh()
        self._hash, self._head, self.size = hashlib.sha256(), b"", 0
        self._looked = 0
        self._demand_room(0)
        self._file: BinaryIO | None = None
        try:
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except OSError as error:
            raise self._gone_wrong(error) from error

    def write(self, chunk: bytes) -> None:
        """Take a chunk; raise Refused past a limit, with nothing kept."""
        self.size += len(chunk)
        if self.size + self._before > self._settings.limits.upload_bytes:
            self.discard()
            raise Refused(413, "Too large", too_large(self._settings))
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
        if self.size - self._looked > _LOOK_EVERY:
            self._demand_room(len(chunk))
            self._looked = self.size
        self._hash.update(chunk)
        try:
            self._open.write(chunk)
        except OSError as error:
            raise self._gone_wrong(error) from error

    def finish(self) -> Accepted:
        """Look at what came and keep it under its hash; raise Refused, with nothing kept."""
        try:
            self._close()
            kind = self._kind()
            if kind.name == "archive":
                demand_sound(self._path, self._settings.limits)
            sha256 = self._hash.hexdigest()
            place = self._home.upload(sha256, kind.suffix)
            place.parent.mkdir(mode=PRIVATE, exist_ok=True)
            self._path.replace(place)
            _settle(place.parent)
        except OSError as error:
            raise self._gone_wrong(error) from error
        except Refused:
            self.discard()
            raise
        return Accepted(place, sha256, self.size, kind.name, kind.suffix)

    def discard(self) -> None:
        """Keep nothing of it; may be called at any time, more than once."""
        if self._file is not None:
            with suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)

    @property
    def _open(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("this upload was finished or discarded")
        return self._file

    def _close(self) -> None:
        file = self._open
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._file = None

    def _kind(self) -> Kind:
        kind = kind_of(self._head)
        if kind is None:
            called = f", called {self._declared}" if self._declared.isascii() and self._declared else ""
            raise Refused(415, "Not a scan", f"Expected {EXPECTED}; received {stranger(self._head)}{called}.")
        return kind

    def _demand_room(self, more: int) -> None:
        if self._home.free_bytes() - more < self._settings.limits.free_bytes:
            self.discard() if hasattr(self, "_file") else None
            raise full_disk()

    def _gone_wrong(self, error: OSError) -> Refused:
        self.discard()
        if error.errno in _NO_ROOM:
            return full_disk()
        return Refused(500, "Not kept", "The server could not write the upload to its disk. Send it again.")


def _settle(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: what is accepted outlives a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def too_large(settings: Settings) -> str:
    """Return what is said of an upload that is too large."""
    return f"Expected at most {settings.limits.upload_bytes} bytes in one upload. Send fewer files at once."


def accept(
    settings: Settings, home: Home, stream: Readable | Iterable[bytes], declared_name: str
) -> Accepted:
    """Take one file whole from a stream, or from its chunks; raise Refused, with nothing kept."""
    receiving = Receiving(settings, home, declared_name)
    try:
        for chunk in _chunks(stream):
            receiving.write(chunk)
        return receiving.finish()
    finally:
        receiving.discard()


def _chunks(stream: Readable | Iterable[bytes]) -> Iterable[bytes]:
    read = getattr(stream, "read", None)
    return iter(lambda: read(CHUNK), b"") if read is not None else stream  # type: ignore[return-value]
