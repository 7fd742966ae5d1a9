"""DICOMDIR: the index of a disc, which names the files of each series, also those that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import number, open_dataset, text
from atypia.reading.picture import reason

NAME = "DICOMDIR"
_MOST_RECORDS = 1_000_000
_MOST_PARTS, _LONGEST_NAME = 16, 60  # 8 and 8 by the standard


@dataclass(frozen=True)
class Missing:
    """Images of a series, by its UID, that the index names and that are not there.

    `first` is where the first should be; `series_number` is what the scanner's console shows.
    """

    series: str
    series_number: int | None
    count: int
    first: Path


@dataclass(frozen=True)
class Study:
    """One study of an index: its files, sorted, and its images that are not there.

    `name` is empty where the index has one study alone, else `patient-1/study-2`, by number.
    """

    name: str
    files: tuple[Path, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Index:
    """What a DICOMDIR names: its studies, and which of them a file belongs to."""

    path: Path
    studies: tuple[Study, ...]

    def study_of(self, file: Path) -> Study | None:
        """Return the study that a file belongs to; None for one that the index does not name."""
        return next((study for study in self.studies if file in study.files), None)


def is_index(path: Path) -> bool:
    """Tell by its name whether a file is a DICOMDIR."""
    return path.name.upper() == NAME


def index_over(file: Path) -> Index | None:
    """Return the index in the folder of a file, or in the nearest one above, where it names the file.

    One that cannot be read counts as none.
    """
    places = (folder / name for folder in file.parents for name in (NAME, NAME.lower()))
    try:
        place = next((place for place in places if place.is_file()), None)
        index = None if place is None else read_index(place)
    except (OSError, UnreadableScan):
        return None
    return index if index is not None and index.study_of(file) else None


def read_index(path: Path) -> Index:
    """Read a DICOMDIR; not again where it has not changed. Which files are there is looked up at each call.

    Raises UnreadableScan where it cannot be read, or names no file.
    """
    try:
        status = path.stat()
        found = _studies(_records(path, status.st_mtime_ns, status.st_size), path.parent)
    except OSError as error:
        raise UnreadableScan(path, "an index that can be read", *reason(error)) from error
    if not found:
        raise UnreadableScan(path, "an index that names files", "one that names none")
    return Index(path, tuple(found))


@dataclass(frozen=True)
class _Named:
    """A file that the index names: the numbers of its patient and study, its series, its path in parts."""

    patient: int
    study: int
    series: str
    series_number: int | None
    image: bool
    parts: tuple[str, ...]


@lru_cache(maxsize=8)
def _records(path: Path, _changed: int, _size: int) -> tuple[_Named, ...]:
    data = open_dataset(path, pixels=False)
    try:
        return tuple(_named(data))
    except Exception:  # malformed records draw almost any exception; its words may quote them
        raise UnreadableScan(path, "an index with records as the standard has them", "others") from None


def _named(data: Any) -> Iterator[_Named]:
    """Yield the files of an index by the tree of its records (PS3.3 F.3), in its order."""
    records = list(data.get("DirectoryRecordSequence") or ())
    at = {record.seq_item_tell: record for record in records}
    root = number(data, "OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity")
    patients = studies = 0
    series: tuple[str, int | None] = ("", None)
    for record in _tree(at, int(root or 0)):
        kind = text(record, "DirectoryRecordType").upper()
        if kind == "PATIENT":
            patients, studies = patients + 1, 0
        elif kind == "STUDY":
            studies += 1
        elif kind == "SERIES":
            shown = number(record, "SeriesNumber")
            series = text(record, "SeriesInstanceUID"), None if shown is None else int(shown)
        parts = tuple(part for part in text(record, "ReferencedFileID").split("\\") if part)
        # Names of the standard are plain; others would lead out of the disc.
        if 0 < len(parts) <= _MOST_PARTS and all(map(_is_name, parts)):
            yield _Named(patients, studies, *series, kind == "IMAGE", parts)


def _is_name(part: str) -> bool:
    return part not in (".", "..") and len(part) <= _LONGEST_NAME and not set(part) & set("/\\\0:")


def _tree(at: dict[int, Any], first: int) -> Iterator[Any]:
    """Yield records from the first one on, each before those below it; none twice."""
    waiting, seen = [first], set[int]()
    while waiting:
        place = waiting.pop()
        if place in seen or place not in at or len(seen) > _MOST_RECORDS:
            continue
        seen.add(place)
        record = at[place]
        waiting.append(int(number(record, "OffsetOfTheNextDirectoryRecord") or 0))
        if number(record, "RecordInUseFlag") != 0:
            yield record
            waiting.append(int(number(record, "OffsetOfReferencedLowerLevelDirectoryEntity") or 0))


def _studies(named: tuple[_Named, ...], folder: Path) -> list[Study]:
    listings: dict[Path, dict[str, Path]] = {}
    by_study: dict[tuple[int, int], dict[Path, _Named]] = {}
    for one in named:
        by_study.setdefault((one.patient, one.study), {})[_place(folder, one.parts, listings)] = one
    patients = {patient for patient, _ in by_study}
    found = []
    for (patient, study), files in by_study.items():
        several = sum(other == patient for other, _ in by_study) > 1
        words = [f"patient-{patient}"] * (len(patients) > 1) + [f"study-{study}"] * several
        there = sorted(file for file in files if file.is_file())
        absent = {file: one for file, one in files.items() if one.image and not file.is_file()}
        found.append(Study("/".join(words), tuple(there), tuple(_missing(absent))))
    return found


def _missing(absent: dict[Path, _Named]) -> Iterator[Missing]:
    by_series: dict[tuple[str, int | None], list[Path]] = {}
    for file, one in absent.items():
        by_series.setdefault((one.series, one.series_number), []).append(file)
    for (series, shown), files in by_series.items():
        yield Missing(series, shown, len(files), files[0])


def _place(folder: Path, parts: tuple[str, ...], listings: dict[Path, dict[str, Path]]) -> Path:
    """Return where a file lies: copies of discs may have names in lower case, or with a version behind."""
    place = folder
    for part in parts:
        if not (place / part).exists():
            if place not in listings:
                entries = place.iterdir() if place.is_dir() else ()
                listings[place] = {_plain(entry.name): entry for entry in entries}
            place = listings[place].get(_plain(part), place / part)
        else:
            place = place / part
    return place


def _plain(name: str) -> str:
    return name.partition(";")[0].rstrip(".").upper()
