"""A collection of scans: what a file, a folder or a table lists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atypia.errors import BadOption, BadTable
from atypia.reading.cutting import AS_IT_IS, Cutting
from atypia.reading.dicom import is_dicom, is_index, one_file_per_series, series_rows
from atypia.reading.folder import as_text, read_folder
from atypia.reading.nifti import is_nifti
from atypia.reading.objects import read_objects
from atypia.reading.packed import PackedRows
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.reading.row import Row, real_paths, with_own_names
from atypia.reading.table import TABLE_SUFFIXES, read_table, write_table
from atypia.reading.volume import slice_name, volume_name
from atypia.reading.volumes import VOLUME_SUFFIXES, is_volume, with_slices
from atypia.remote import address, is_remote

__all__ = ["Collection", "Row", "read_collection", "read_collections", "write_collection"]


@dataclass(frozen=True)
class Collection:
    """Scans in a fixed order, with unique names; `source` says where they are listed.

    `aside` names what DICOM folders hold beside scans, each with the reason why it is none.
    """

    rows: Sequence[Row]
    source: str
    aside: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def packed(self) -> Collection:
        """Return the same scans in a tenth of the memory: see `PackedRows`."""
        return replace(self, rows=PackedRows.of(self.rows))

    def select(self, *, split: str | None = None, label: str | None = None) -> Collection:
        """Return the rows of one split, of one label, or of both; there may be none."""
        rows = (row for row in self.rows if split in (None, row.split) and label in (None, row.label))
        return replace(self, rows=tuple(rows))

    @property
    def title(self) -> str:
        """The names of the files or folders that list the scans, without the way to them."""
        return ", ".join(Path(part).absolute().name or part for part in self.source.split(", "))

    @property
    def has_labels(self) -> bool:
        """Whether any scan has a label."""
        return any(row.label is not None for row in self.rows)

    @property
    def has_groups(self) -> bool:
        """Whether any scan has a group."""
        return any(row.group is not None for row in self.rows)

    @property
    def has_splits(self) -> bool:
        """Whether any scan is assigned to a split."""
        return any(row.split is not None for row in self.rows)


def read_collection(source: Path, *, root: Path | None = None, cutting: Cutting = AS_IT_IS) -> Collection:
    """List the scans of a picture, a volume, a folder or a table.

    Paths in a table are relative to `root`, by default the table's own folder. No picture is opened. Volumes
    are, because each of their slices that shows enough of the head is a scan: see `list_slices`. `cutting`
    says how volumes become slices; by default in the plane of their acquisition.
    Raises BadTable where there is nothing to list or a table is wrong, BadOption where `root` is no folder.
    """
    try:
        if root is not None and not is_remote(root) and not root.is_dir():
            raise BadOption(
                f"{root}: expected the folder that a table's paths start from, received no folder."
            )
        aside: list[tuple[str, str]] = []
        rows = with_slices(_rows(source, root, aside), cutting)
        return Collection(tuple(rows), address(source), tuple(aside))
    except OSError as error:
        raise BadTable(
            f"{error.filename or source}: expected a folder or file that can be read, "
            f"received: {error.strerror or error}."
        ) from error


def _rows(source: Path, root: Path | None, aside: list[tuple[str, str]]) -> list[Row]:
    suffix = source.suffix.lower()
    if is_remote(source):
        return read_objects(source, root)
    if source.is_dir():
        return read_folder(source, aside)
    if not source.exists():
        received = "no such file or folder"
    elif suffix in TABLE_SUFFIXES:
        return read_table(source, source.parent if root is None else root)
    elif is_index(source):
        return read_folder(source.parent, aside)
    elif is_dicom(source):
        return series_rows(source)
    elif suffix in PICTURE_SUFFIXES or is_volume(source):
        return [Row(source, as_text(Path(source.name)))]
    else:
        received = f"a file that ends in {suffix!r}"
    raise BadTable(
        f"{source}: expected a folder of scans, a table ({', '.join(TABLE_SUFFIXES)}), a picture "
        f"({', '.join(sorted(PICTURE_SUFFIXES))}) or a volume ({', '.join(VOLUME_SUFFIXES)}, DICOM), "
        f"received {received}."
    )


def read_collections(
    sources: Sequence[Path], *, root: Path | None = None, cutting: Cutting = AS_IT_IS
) -> Collection:
    """Join several sources; a scan that more than one of them lists is taken once, as the first lists it.

    Where two scans would share a name, all are named by their path below the folder common to all.
    Raises as `read_collection` does, and BadTable where two sources give one scan different labels.
    """
    parts = [read_collection(source, root=root, cutting=cutting) for source in one_file_per_series(sources)]
    if not parts:
        raise BadTable("expected at least one folder, table or picture, received none.")
    listed = [row for part in parts for row in part]
    seen: dict[object, Row] = {}
    for path, row in zip(real_paths(row.path for row in listed), listed, strict=True):
        first = seen.setdefault((path, row.volume, row.slice is None or (row.plane, row.slice)), row)
        if row.label and first.label and row.label != first.label:
            raise BadTable(
                f"{row.path}: expected one label, received {first.label!r} from one source and "
                f"{row.label!r} from another. Leave one of them out."
            )
    aside = tuple(dict.fromkeys(one for part in parts for one in part.aside))
    source = ", ".join(part.source for part in parts)
    return Collection(_with_unique_names(list(seen.values())), source, aside)


def _with_unique_names(rows: list[Row]) -> tuple[Row, ...]:
    if len({row.name for row in rows}) == len(rows):
        return tuple(rows)
    paths = list(real_paths(row.path for row in rows))
    common = os.path.commonpath([Path(path).parent for path in paths])
    return tuple(
        with_own_names(
            [
                replace(row, name=_own_name(row, Path(path).relative_to(common)))
                for row, path in zip(rows, paths, strict=True)
            ]
        )
    )


def _own_name(row: Row, path: Path) -> str:
    """Return a row's name by its path; a DICOM series keeps its own in place of that of its first file."""
    if row.slice is not None and not is_nifti(path):
        return as_text(path.with_name(row.name.rpartition("/")[2]))
    return as_text(path) + _slice_of(row)


def _slice_of(row: Row) -> str:
    volume = "" if row.volume is None else f":{volume_name(row.volume)}"
    if row.slice is None or row.plane is None:
        return volume
    return f"{volume}:{slice_name(row.plane, row.slice)}"


def write_collection(collection: Collection, path: Path, *, root: Path | None = None) -> None:
    """Write a collection as a CSV or Parquet table that `read_collection` reads back.

    Paths are relative to `root`, by default the table's own folder, wherever the two share a folder.
    The table appears whole or not at all. Raises BadOption for another suffix, OutputError where it fails.
    """
    write_table(collection.rows, path, path.parent if root is None else root)
