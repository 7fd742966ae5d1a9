"""Scans that lie in an object store: fetched whole, and listed by their prefix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atypia.errors import BadTable
from atypia.reading.fetched import in_words
from atypia.reading.folder import label_of
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.reading.row import Row
from atypia.reading.table import TABLE_SUFFIXES, read_table
from atypia.reading.volumes import VOLUME_SUFFIXES, is_volume
from atypia.remote import address, fetch, listing
from atypia.scratch import Scratch

MOST_TABLE_BYTES = 8 * 2**30


def read_objects(source: Path, root: Path | None) -> list[Row]:
    """List the scans of a table, a picture or a prefix in an object store.

    Of a prefix all pictures and volumes below it are scans, sorted by name; labels come from the innermost
    part of the name that stands for one. Masks that lie beside scans are not looked for.
    Raises BadTable where there is nothing to list, StoreFailed where the store does not answer.
    """
    suffix = source.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return _table(source, source.parent if root is None else root)
    if suffix in PICTURE_SUFFIXES or is_volume(source):
        return [Row(source, source.name)]
    with _as_bad_table(source):
        found = listing(source)
    rows = [
        _row(source, path) for path in found if path.suffix.lower() in PICTURE_SUFFIXES or is_volume(path)
    ]
    if not rows:
        raise BadTable(
            f"{address(source)}: expected a table ({', '.join(TABLE_SUFFIXES)}), or a prefix with pictures "
            f"({', '.join(sorted(PICTURE_SUFFIXES))}) or volumes ({', '.join(VOLUME_SUFFIXES)}) below it, "
            f"received {f'{len(found)} other objects' if found else 'a prefix without objects'}. "
            "Check the address."
        )
    return rows


def _row(prefix: Path, path: Path) -> Row:
    inside = path.relative_to(prefix)
    kind = next((part for part in reversed(inside.parts[:-1]) if label_of(part)), None)
    return Row(path, inside.as_posix(), label=label_of(kind) if kind else None, kind=kind)


def _table(source: Path, root: Path) -> list[Row]:
    with _as_bad_table(source):
        content = fetch(source, MOST_TABLE_BYTES)
    with Scratch() as folder:
        file = Path(folder, source.name)
        file.write_bytes(content)
        try:
            return read_table(file, root)
        except BadTable as error:
            raise BadTable(str(error).replace(str(file), address(source))) from error


@contextmanager
def _as_bad_table(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadTable(
            f"{address(source)}: expected a table or a prefix that can be read, received: {in_words(error)}. "
            "Check the address."
        ) from error
