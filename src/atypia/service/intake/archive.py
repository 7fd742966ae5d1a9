"""Zip files that are not trusted: looked at before they are kept, and unpacked under names of our own."""

from __future__ import annotations

import errno
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from atypia.service.home import PRIVATE
from atypia.service.intake.refused import Refused
from atypia.service.intake.sniffing import HEAD, kind_of
from atypia.service.settings import Limits

LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
SMALL = 64 * 2**20
"""Whatever its ratio, an archive that unpacks to so little does no harm."""
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    zlib.error,
    RuntimeError,
    ValueError,
    OverflowError,
)
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Unpacked:
    """A member that was written: `entry` as the archive calls it, which may name a patient."""

    path: Path
    entry: str
    kind: str


def demand_sound(archive: Path, limits: Limits) -> None:
    """Look at what an archive says of itself; raise Refused for a bomb, a way out, or what else is odd."""
    with _damage_told(), zipfile.ZipFile(archive) as opened:
        _wanted(opened, archive, limits)


def unpack(archive: Path, folder: Path, limits: Limits) -> Iterator[Unpacked]:
    """Write the scans of an archive into a folder, one after another, and yield each.

    They are called by numbers: a folder for each folder of the archive, in its order. What is no scan by its
    first bytes is passed over; so are archives within the archive. Never more is written than the limits
    say, whatever the archive says of itself. Raises Refused, and OSError where there is no room.
    """
    with _damage_told(), zipfile.ZipFile(archive) as opened:
        members = _wanted(opened, archive, limits)
        left = _most(archive, limits)
        folders: dict[str, int] = {}
        for number, member in enumerate(members):
            way = str(PurePosixPath(member.filename).parent)
            place = folder / f"d{folders.setdefault(way, len(folders)):04}"
            place.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            written = _write(opened, member, place / f"{number:06}", left)
            if written is not None:
                left -= written.path.stat().st_size
                yield written


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _broken() from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise _broken() from error  # a member that would begin before the file does


def _wanted(opened: zipfile.ZipFile, archive: Path, limits: Limits) -> list[zipfile.ZipInfo]:
    every = opened.infolist()
    if len(every) > limits.archive_entries:
        raise Refused(
            413,
            "Too many files",
            f"Expected at most {limits.archive_entries} files in an archive, received {len(every)}. "
            "Send it in parts.",
        )
    if not all(member.filename for member in every):  # Python's reader stumbles over these
        raise Refused(
            422, "Unsafe archive", "Expected a zip file of scans, received a file without a name in it."
        )
    wanted = [m for m in every if not m.is_dir() and LITTER.isdisjoint(PurePosixPath(m.filename).parts)]
    for member in wanted:
        if (fault := _fault(member)) is not None:
            raise Refused(422, "Unsafe archive", f"Expected a zip file of scans, received {fault} in it.")
    size, most = sum(member.file_size for member in wanted), _most(archive, limits)
    if size > most:
        raise Refused(
            413,
            "Too large",
            f"Expected at most {most} bytes in this archive, unpacked, received {size}: is it a bomb? "
            "Send its files in parts, or not packed.",
        )
    return wanted


def _most(archive: Path, limits: Limits) -> int:
    by_ratio = round(limits.archive_ratio * archive.stat().st_size)
    return min(limits.archive_bytes, max(SMALL, by_ratio))


def _fault(member: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or PureWindowsPath(member.filename).anchor:
        return "an absolute path"
    if ".." in path.parts or ".." in PureWindowsPath(member.filename).parts:
        return "a path that leads out of it"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "a link or special file"
    if member.flag_bits & 0x1:
        return "an encrypted file"
    return None if member.compress_type in _PACKED else "a file that is packed in a way that is not taken"


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, left: int) -> Unpacked | None:
    """Write one member, at most `left` bytes of it; None where it is no scan."""
    with opened.open(member) as source:
        head = source.read(HEAD)
        kind = kind_of(head)
        if kind is None or kind.name == "archive":
            return None
        target, size = path.with_name(path.name + kind.suffix), 0
        with target.open("wb") as copy:
            chunk = head
            while chunk:
                size += len(chunk)
                if size > left:
                    raise Refused(413, "Too large", "The archive holds more than it says: is it a bomb?")
                copy.write(chunk)
                chunk = source.read(2**20)
    return Unpacked(target, member.filename, kind.name)


def _broken() -> Refused:
    return Refused(422, "Broken archive", "Expected a whole zip file, received a broken or unfinished one.")
