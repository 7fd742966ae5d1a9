"""Unpacking a zip file that came from elsewhere: everything is checked before a byte is written."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from atypia.atomic import not_written
from atypia.errors import BadArchive, OutputError
from atypia.progress import progress
from atypia.reading.picture import PICTURE_SUFFIXES

LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
MAX_FILES = 50_000
MAX_BYTES = 8 << 30
# Pictures are compressed already: an archive of them hardly shrinks, and one that shrank so far is a bomb.
MAX_RATIO = 50


def unpack_images(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip file of pictures into a folder and return the files, sorted.

    Raise BadArchive for a broken file, a path that leads out of the folder, a link, an encrypted member, a
    file that is no picture, too many files or too many bytes; the folder is then untouched or incomplete.
    Raise OutputError where there is no room.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(archive, opened.infolist())
            _check_room(folder, sum(member.file_size for member in members))
            shown = progress(members, total=len(members), label="unpacking", unit="file")
            return sorted(_extract(opened, member, folder) for member in shown)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        expected = "expected a whole zip file, received a broken or unfinished one"
        raise BadArchive(f"{archive}: {expected} ({error}).") from error


def _checked(archive: Path, members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    wanted = [
        m
        for m in members
        if not m.filename.endswith("/") and LITTER.isdisjoint(PurePosixPath(m.filename).parts)
    ]
    for member in wanted:
        if fault := _fault(member):
            raise BadArchive(f"{archive}: expected pictures only, received {fault}: '{member.filename}'.")
    if len(wanted) > MAX_FILES or len({m.filename.casefold() for m in wanted}) < len(wanted):
        raise BadArchive(f"{archive}: expected at most {MAX_FILES} files, each once, received {len(wanted)}.")
    size = sum(member.file_size for member in wanted)
    limit = min(MAX_BYTES, MAX_RATIO * archive.stat().st_size)
    if size > limit:
        raise BadArchive(f"{archive}: expected at most {limit} bytes unpacked, received {size}: a zip bomb?")
    return wanted


def _fault(member: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or PureWindowsPath(member.filename).anchor or "\\" in member.filename:
        return "an absolute path"
    if ".." in path.parts:
        return "a path that leads out of the folder"
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or special file"
    if member.flag_bits & 0x1:
        return "an encrypted file"
    return None if path.suffix.lower() in PICTURE_SUFFIXES else "another kind of file"


def _check_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(f"{folder}: expected {needed} bytes of free space, received {free}.")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    """Write one member; zipfile stops at the size that the member declares and checks its CRC."""
    target = folder.joinpath(*PurePosixPath(member.filename).parts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except OSError as error:
        raise not_written(target, error) from error
    return target
