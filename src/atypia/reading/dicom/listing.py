"""The rows that DICOM files give: one for each series, not for each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.folder import Series, read_series
from atypia.reading.dicom.volume import first_file, series_of
from atypia.reading.row import Row


def series_below(files: Iterable[Path]) -> Iterator[tuple[Path, Series]]:
    """Yield the folders of DICOM files, sorted, each with its series; a series lies in one folder."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    for folder in sorted(folders):
        yield from ((folder, series) for series in read_series(folder, sorted(folders[folder])))


def series_row(path: Path) -> Row:
    """Return the row of the series that a file belongs to; of a file that cannot be read, its own."""
    try:
        series = series_of(path)
        return Row(series.path, series.name)
    except UnreadableScan:
        return Row(path, path.name)


def one_file_per_series(paths: Iterable[Path]) -> list[Path]:
    """Leave out files of series that an earlier path stands for; other paths stay as they are."""
    kept: dict[Path, Path] = {}
    for path in paths:
        kept.setdefault(first_file(path) if path.is_file() and is_dicom(path) else path, path)
    return list(kept.values())


def one_per_series(rows: Sequence[Row]) -> list[Row]:
    """Let the first of several rows stand that name files of one series and say the same of it."""
    kept: dict[Row | int, Row] = {}
    for number, row in enumerate(rows):
        if row.slice is None and is_dicom(row.path):
            row = replace(row, path=first_file(row.path))
            kept.setdefault(replace(row, name=""), row)
        else:
            kept[number] = row
    return list(kept.values())
