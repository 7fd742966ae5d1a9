"""The rows that DICOM files give: one for each series, not for each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.folder import Series, read_series, read_study
from atypia.reading.dicom.index import Index
from atypia.reading.dicom.volume import all_series_of
from atypia.reading.row import Row


def series_below(files: Iterable[Path]) -> Iterator[tuple[Path, Series]]:
    """Yield the folders of DICOM files, sorted, each with its series; a series lies in one folder."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    for folder in sorted(folders):
        yield from ((folder, series) for series in read_series(folder, sorted(folders[folder])))


def series_named(index: Index) -> Iterator[tuple[str, Series]]:
    """Yield the series that an index names, with their names: of no folders, for those may name patients."""
    for study in index.studies:
        for series in read_study(study):
            yield "/".join(filter(None, (study.name, series.name))), series


def series_rows(path: Path) -> list[Row]:
    """Return the row of the series that a file belongs to, or of each volume in it; else its own."""
    return [Row(series.path, series.name, volume=_text(series.volume)) for series in _series_of(path)] or [
        Row(path, path.name)
    ]


def one_file_per_series(paths: Iterable[Path]) -> list[Path]:
    """Leave out files of series that an earlier path stands for; other paths stay as they are."""
    kept: dict[tuple[Path, ...], Path] = {}
    for path in paths:
        series = _series_of(path) if path.is_file() and is_dicom(path) else ()
        kept.setdefault(tuple(one.path for one in series) or (path,), path)
    return list(kept.values())


def one_per_series(rows: Sequence[Row]) -> list[Row]:
    """Give each volume one row: the first of those that name files of one series and say the same of it.

    The row of a file that holds several becomes one for each, `:vol0` and so on behind its name.
    """
    kept: dict[Row | int, Row] = {}
    for number, row in enumerate(rows):
        if row.slice is not None or row.volume is not None or not is_dicom(row.path):
            kept[number] = row
            continue
        for one in _rows_of_series(row):
            kept.setdefault(replace(one, name=""), one)
    return list(kept.values())


def _rows_of_series(row: Row) -> list[Row]:
    found = _series_of(row.path)
    if len(found) < 2:
        return [replace(row, path=found[0].path) if found else row]
    return [
        replace(row, path=series.path, volume=_text(series.volume), name=f"{row.name}:vol{number}")
        for number, series in enumerate(found)
    ]


def _series_of(path: Path) -> list[Series]:
    """Return the series that a file belongs to; none where it cannot be read."""
    try:
        return all_series_of(path)
    except UnreadableScan:
        return []


def _text(volume: int | None) -> str | None:
    return None if volume is None else str(volume)
