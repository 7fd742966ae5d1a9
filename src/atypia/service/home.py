"""The folder that the service keeps everything in, and where in it each thing lies."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from atypia.atomic import not_written
from atypia.errors import OutputError

PRIVATE = 0o700
DATA = "reading-room"
HARDLY_ANY = 4 * 2**20
_KEY_BYTES = 32
_PARTS = ("uploads", "studies", "screeners", "findings", "healthy", "trash", "tmp")


def usual_data() -> Path:
    """Return the data folder where none is named: one of this user's."""
    from platformdirs import user_data_path

    return user_data_path("atypia") / DATA


@dataclass(frozen=True)
class Home:
    """The data folder; all of it on one file system, so that a rename puts a thing in its place."""

    path: Path

    def make(self) -> None:
        """Make what is missing, for this user alone; raise OutputError."""
        try:
            self.path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            for part in _PARTS:
                (self.path / part).mkdir(mode=PRIVATE, exist_ok=True)
            if not self.key_file.exists():
                self._make_key()
            if self.key_file.stat().st_size != _KEY_BYTES:
                raise OutputError(
                    f"{self.key_file}: expected the {_KEY_BYTES} bytes of the key of this folder, received "
                    "others. Put back a copy; or remove it, and studies that come again count as new ones."
                )
        except OSError as error:
            raise not_written(self.path, error) from error

    def _make_key(self) -> None:
        fresh = self.path / f".key.{uuid4().hex}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(fresh, self.key_file)  # two servers that start at once agree on one
        except FileExistsError:
            pass
        finally:
            fresh.unlink()

    @property
    def key_file(self) -> Path:
        """Where the key lies."""
        return self.path / "key"

    @property
    def key(self) -> bytes:
        """32 random bytes, made once: of keyed hashes of UIDs, and of cookies."""
        return self.key_file.read_bytes()

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.path / "atypia.sqlite"

    @property
    def database_url(self) -> str:
        """The address of the embedded database."""
        return f"sqlite:///{self.database.absolute()}"

    @property
    def uploads(self) -> Path:
        """What came, by the hash of its content."""
        return self.path / "uploads"

    @property
    def studies(self) -> Path:
        """Folders of studies, by their identifier."""
        return self.path / "studies"

    @property
    def screeners(self) -> Path:
        """Files of Screeners, by their hash."""
        return self.path / "screeners"

    @property
    def all_findings(self) -> Path:
        """Folders of findings, by their identifier."""
        return self.path / "findings"

    @property
    def healthy(self) -> Path:
        """What is kept of healthy scans, to show those that look alike."""
        return self.path / "healthy"

    @property
    def tmp(self) -> Path:
        """What is being made; swept at a start."""
        return self.path / "tmp"

    @property
    def trash(self) -> Path:
        """What is being removed; swept at a start."""
        return self.path / "trash"

    def upload(self, sha256: str, suffix: str = "") -> Path:
        """Return where an upload lies; its suffix tells what it holds."""
        return self.uploads / sha256[:2] / f"{sha256}{suffix}"

    def study(self, study: str) -> Path:
        """Return the folder of a study."""
        return self.studies / study

    def screener(self, sha256: str) -> Path:
        """Return where the file of a Screener lies."""
        return self.screeners / f"{sha256}.atypia"

    def signature(self, sha256: str) -> Path:
        """Return where the signature of a Screener lies, where it came with one."""
        return self.screeners / f"{sha256}.atypia.minisig"

    def findings(self, finding: str) -> Path:
        """Return the folder of a finding's files."""
        return self.all_findings / finding

    def fresh(self) -> Path:
        """Return a name in `tmp` that nobody has."""
        return self.tmp / uuid4().hex

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a new folder in `tmp` that is gone afterwards."""
        folder = self.fresh()
        folder.mkdir(mode=PRIVATE)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def discard(self, path: Path) -> None:
        """Remove a file or folder, which is out of sight at once; what is not there is no matter."""
        gone = self.trash / uuid4().hex
        try:
            path.rename(gone)
        except FileNotFoundError:
            return
        except OSError:  # a disk so full that there is no room for a name
            gone = path
        if gone.is_dir():
            shutil.rmtree(gone, ignore_errors=True)
        else:
            gone.unlink(missing_ok=True)

    @property
    def reserve(self) -> Path:
        """What is given up when the disk is full."""
        return self.path / "reserve"

    def set_aside(self, size: int) -> bool:
        """Keep so many bytes of the disk aside where four times as many are free; tell whether they are."""
        if self.reserve.exists() or size <= 0:
            return size > 0
        if self.free_bytes() < 4 * size:
            return False
        fresh = self.fresh()
        try:
            with fresh.open("xb") as file:
                _allocate(file, size)
            fresh.replace(self.reserve)
        except OSError:
            return False
        finally:
            fresh.unlink(missing_ok=True)
        return True

    def relieve(self) -> bool:
        """Give up what is kept aside where hardly anything else is free; tell whether that was so."""
        if self.free_bytes() >= HARDLY_ANY or not self.reserve.exists():
            return False
        self.reserve.unlink(missing_ok=True)
        return True

    def free_bytes(self) -> int:
        """Return how much room the disk has for this user."""
        return shutil.disk_usage(self.path).free


def _allocate(file: BinaryIO, size: int) -> None:
    """Give a file so many bytes that are really on the disk; raise OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, 2**20):
        file.write(bytes(min(2**20, size - start)))
