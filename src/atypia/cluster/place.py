"""Where the results of a cluster's job go: a folder, or a prefix in an object store, with one face."""

from __future__ import annotations

import json
import platform
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from atypia.atomic import not_written, write_whole
from atypia.destination import claim_folder, held
from atypia.errors import OutputError
from atypia.remote import address, fetch, fetch_all, is_remote, listing, put, remove

LOCK = "_atypia/lock.json"
BEAT, STALE, SKEW = 15.0, 60.0, 3600.0
"""Seconds between signs of life of who holds a prefix; and without one until it is taken for dead; and
what clocks of two machines may differ by: a sign of life from further ahead is of one that was wrong."""


class Place(Protocol):
    """A folder or a prefix; names are relative to it, with slashes. All raise OutputError or StoreFailed."""

    out: Path

    def sizes(self) -> dict[str, int]:
        """Return the names of all files below, with their sizes in bytes."""

    def read(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of files that are there."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, which is there whole or not at all, in place of an older one."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""


@contextmanager
def held_place(out: Path) -> Iterator[Place]:
    """Hold a folder, or a prefix, for this job alone; raise OutputError where another one holds it.

    The lock of a folder dies with the process. That of a prefix is an object that tells of life now and then:
    a job that was killed leaves it behind, and it counts for a minute.
    """
    if is_remote(out):
        prefix = _Prefix(out)
        with prefix.held():
            yield prefix
        return
    claim_folder(out)
    with held(out):
        yield _Folder(out)


class _Folder:
    def __init__(self, out: Path) -> None:
        self.out = out

    def sizes(self) -> dict[str, int]:
        files = (file for file in self.out.rglob("*") if file.is_file())
        return {file.relative_to(self.out).as_posix(): file.stat().st_size for file in files}

    def read(self, names: Sequence[str]) -> list[bytes]:
        return [(self.out / name).read_bytes() for name in names]

    def write(self, name: str, content: bytes) -> None:
        write_whole(self.out / name, content)

    def remove(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                (self.out / name).unlink()
        except OSError as error:
            raise not_written(self.out, error) from error


class _Prefix:
    def __init__(self, out: Path) -> None:
        self.out = out
        self._token, self._over = secrets.token_hex(8), Event()
        self._lost = ""

    def sizes(self) -> dict[str, int]:
        found = listing(self.out)
        return {path.relative_to(self.out).as_posix(): size for path, size in found.items()}

    def read(self, names: Sequence[str]) -> list[bytes]:
        return fetch_all([self.out / name for name in names])

    def write(self, name: str, content: bytes) -> None:
        if self._lost:
            raise OutputError(self._taken_by(self._lost))
        try:
            put(self.out / name, content)
        except OSError as error:
            raise self._refused(name, error) from error

    def remove(self, names: Sequence[str]) -> None:
        try:
            remove([self.out / name for name in names])
        except OSError as error:
            raise self._refused(self.out.name, error) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, and tell in a thread that we live."""
        self._take()
        beating = Thread(target=self._beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            self._over.set()
            beating.join()
            if not self._lost:
                with suppress(OSError):
                    remove([self.out / LOCK])

    def _take(self) -> None:
        holder = self._holder()
        if holder is not None and -SKEW < time.time() - _moment(holder) < STALE:
            raise OutputError(self._taken_by(str(holder.get("who", "another process"))))
        try:
            put(self.out / LOCK, self._sign(), new=holder is None)
        except FileExistsError as error:
            raise OutputError(self._taken_by("another process")) from error
        except OSError as error:
            raise self._refused(LOCK, error) from error

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(Exception):  # one sign that fails is no reason to end: the next may come through
                holder = self._holder()
                if holder is not None and holder.get("token") != self._token:
                    self._lost = str(holder.get("who", "another process"))
                    return
                put(self.out / LOCK, self._sign())

    def _holder(self) -> dict[str, object] | None:
        try:
            told = json.loads(fetch(self.out / LOCK))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(LOCK, error) from error
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def _sign(self) -> bytes:
        return json.dumps({"token": self._token, "who": platform.node(), "at": time.time()}).encode()

    def _taken_by(self, who: str) -> str:
        return (
            f"{address(self.out)}: expected a prefix that no other job writes to, received one that a job on "
            f"{who} is writing to. Wait for it ({STALE:g} seconds if it was killed), or name another with -o."
        )

    def _refused(self, name: str, error: OSError) -> OutputError:
        return OutputError(
            f"{address(self.out / name)}: could not be written ({error.strerror or error}). Check the "
            "address, and who may write there, and run the command again."
        )


def _moment(holder: dict[str, object]) -> float:
    """Return when who holds a prefix last told of life; long ago where that is no number."""
    at = holder.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
