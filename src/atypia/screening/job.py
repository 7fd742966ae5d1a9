"""What a job of judging is: with which Screener, which scans and how, so that another is not taken for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path

import onnxruntime

from atypia.errors import ArtefactError
from atypia.onnx_session import device
from atypia.reading.row import Row
from atypia.remote import address, is_remote
from atypia.screening.making import hash_of

Job = Mapping[str, str | int | bool | None]

_FIELDS = tuple(field.name for field in fields(Row))


class WatchedFile:
    """The file of a Screener, to be made before that is loaded: notices where another takes its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity = _identity(path)

    def demand_same(self, sha256: str | None) -> None:
        """Raise ArtefactError where the file is no longer the one with this hash."""
        now = _identity(self.path)
        if now == self._identity:
            return
        if now is None or hash_of(self.path) != sha256:
            raise ArtefactError(
                f"{self.path}: expected the Screener that the scans are judged with to stay as it is, "
                f"received {'no file' if now is None else 'another file'} in its place during the job. "
                "Put the earlier one back and give the same command again, or judge all scans anew with "
                "--anew."
            )
        self._identity = now


@dataclass(frozen=True)
class Keeping:
    """How what is done is kept until all is done.

    After every `shard` scans, or `usual_size` of them, what came of these is kept. `anew` gives up what an
    interrupted job has left. `threads` are those that the Screener was told to use, in all `processes`
    together: as many as pay where they are None. `watched` is the file that it was loaded from, without which
    there is one process alone.
    """

    shard: int | None = None
    anew: bool = False
    threads: int | None = None
    watched: WatchedFile | None = None
    processes: int | None = 1


def job_of(rows: Iterable[Row], sha256: str | None, options: Job) -> Job:
    """Return all that the results of a job depend on, but for the content of the scans' files."""
    count, digest = 0, hashlib.sha256()
    for row in rows:
        count += 1
        digest.update(repr(_plain(row)).encode("utf-8", "backslashreplace"))
    return {
        "the Screener": sha256,
        "the number of scans": count,
        "the list of scans": digest.hexdigest(),
        **options,
        "Atypia": version("atypia"),
        "ONNX Runtime": onnxruntime.__version__,
        "the device": device(),
    }


def differences(then: Job, now: Job) -> str:
    """Return in words what differs between two jobs."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(_difference(name, then.get(name), now.get(name)) for name in names)


def sources_of(rows: Iterable[Row]) -> str:
    """Return a hash of sizes and times of change of the files that rows name."""
    digest, last = hashlib.sha256(), None
    for row in rows:
        if row.path != last:  # the slices of a volume follow each other
            digest.update(repr((_identity(row.path) or (0,))[1:]).encode())
        last = row.path
    return digest.hexdigest()


def _difference(name: str, then: object, now: object) -> str:
    if any(isinstance(value, str) and len(value) == 64 for value in (then, now)):
        return name
    return f"{name} ({_said(then)} then, {_said(now)} now)"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "given" if value else "not given"
    return "none" if value is None or value == "" else str(value)


def _plain(row: Row) -> list[str]:
    """Return all that a row says as texts; paths do not depend on where a command is given."""
    values = [getattr(row, name) for name in _FIELDS]
    return [_where(value) if isinstance(value, Path) else repr(value) for value in values]


def _where(path: Path) -> str:
    # Links stay links: to resolve each would cost seconds for many scans.
    return address(path) if is_remote(path) else str(path.absolute())


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
