"""A zip that is checked as a whole before anything in it is read."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atypia.errors import CorruptArtefact

HEAD, MANIFEST = "screener.json", "manifest.json"
LARGEST_TEXT = 64 * 2**20
PACKED_BY = 64
"""The head may be so many times as large as it is in the zip, above `SMALL_TEXT`; real ones are 4 times."""
SMALL_TEXT = 2**20
MOST_MEMBERS = 4096
AGAIN = "Copy the file again, or make it anew with 'atypia fit'."

# What Python's zip reader raises for damaged files of one kind or another.
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, OverflowError)

_TEXTS = (HEAD, MANIFEST)
_NAME = re.compile(
    r"graphs/[A-Za-z0-9_][A-Za-z0-9_.\-]{0,150}\.onnx|arrays/[A-Za-z0-9_][A-Za-z0-9_.\-]{0,150}\.npy"
)
_ENCRYPTED = 0x1


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a saved Screener, with its table of contents checked; raise CorruptArtefact for any damage.

    There are no more members than a Screener has, none twice, none with another name than Atypia gives, none
    encrypted or packed in another way, and none that would be larger than it can be: graphs and arrays are
    stored as they are, so that all of them together are no larger than the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist(), path)
            yield archive
    except FileNotFoundError as error:
        raise CorruptArtefact(f"{path}: expected a saved Screener, received no such file.") from error
    except DAMAGE as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener (a zip with {HEAD}), received something else or a damaged "
            f"file ({error}). {AGAIN}"
        ) from error


def read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Return what a member holds; raise CorruptArtefact where it is missing or damaged."""
    try:
        return archive.read(archive.getinfo(name))
    except KeyError as error:
        raise CorruptArtefact(f"{path}: {name} is missing. {AGAIN}") from error
    except DAMAGE as error:
        raise CorruptArtefact(f"{path}: {name} is damaged ({error}). {AGAIN}") from error


def _check(members: list[zipfile.ZipInfo], path: Path) -> None:
    names = [member.filename for member in members]
    if HEAD not in names:
        raise CorruptArtefact(f"{path}: expected a saved Screener; {HEAD} is missing. {AGAIN}")
    if len(members) > MOST_MEMBERS:
        raise CorruptArtefact(f"{path}: expected at most {MOST_MEMBERS} parts, received {len(members)}.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CorruptArtefact(f"{path}: {twice[:200]!r} is there twice. {AGAIN}")
    whole = path.stat().st_size
    for member in members:
        _check_member(member, whole, path)
    if sum(member.file_size for member in members if member.filename not in _TEXTS) > whole:
        raise CorruptArtefact(f"{path}: its parts are larger together than any that Atypia writes. {AGAIN}")


def _check_member(member: zipfile.ZipInfo, whole: int, path: Path) -> None:
    name, text = member.filename, member.filename in _TEXTS
    if not text and _NAME.fullmatch(name) is None:
        raise CorruptArtefact(f"{path}: expected the parts of a Screener, received {name[:200]!r}. {AGAIN}")
    if member.flag_bits & _ENCRYPTED:
        raise CorruptArtefact(f"{path}: {name} is encrypted, as Atypia never does. {AGAIN}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CorruptArtefact(f"{path}: {name} is packed as Atypia never does. {AGAIN}")
    largest = min(LARGEST_TEXT, max(SMALL_TEXT, PACKED_BY * member.compress_size)) if text else whole
    if member.file_size > largest:
        raise CorruptArtefact(
            f"{path}: {name} is larger than any that Atypia writes ({member.file_size} bytes). {AGAIN}"
        )
