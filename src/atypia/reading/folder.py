"""Listing the scans in a folder, with the labels that class folders give and the masks that lie beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from atypia.errors import BadTable, UnreadableScan
from atypia.reading.dicom import Series, is_dicom, is_index, read_index, series_below, series_named
from atypia.reading.nifti import bids_subject, stem_of
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.reading.row import Row, with_own_names
from atypia.reading.volumes import VOLUME_SUFFIXES, is_volume

_NORMAL = """
    normal normals healthy health control controls negative no none
    notumor notumors notumour notumours nontumor nontumour nolesion nolesions
"""
_ABNORMAL = """
    abnormal anomaly anomalies anomalous pathology pathological unhealthy diseased positive yes cancer
    tumor tumors tumour tumours braintumor braintumour lesion lesions
    glioma gliomas gliomatumor glioblastoma meningioma meningiomas meningiomatumor
    pituitary pituitarytumor pituitarytumour metastasis metastases
"""
_LABEL_OF = dict.fromkeys(_NORMAL.split(), "normal") | dict.fromkeys(_ABNORMAL.split(), "abnormal")
_MASK_FOLDERS = ("masks", "mask")
# Volumes that are no scans, by their names; of BIDS, the folders of what was made of scans and of no anatomy.
_NO_SCAN = re.compile("mask|seg|label|otmulti", re.IGNORECASE)
_NO_SCAN_FOLDERS = ("derivatives",)
_NO_ANATOMY = ("func", "dwi", "fmap", "perf", "pet", "meg", "eeg", "ieeg", "beh")


def label_of(word: str) -> str | None:
    """Return the label that a class folder's name stands for, where it stands for one.

    >>> label_of("No Tumor"), label_of("glioma"), label_of("patient 7")
    ('normal', 'abnormal', None)
    """
    return _LABEL_OF.get("".join(letter for letter in word.lower() if letter.isalnum()))


def read_folder(folder: Path, aside: list[tuple[str, str]] | None = None) -> list[Row]:
    """List the pictures and volumes in a folder and below it, sorted by path; a volume is one row.

    The innermost folder whose name stands for a label gives `label` and `kind`; where there is none, `kind`
    is the name of the outermost. Hidden files and folders are passed over. A picture `X_mask` beside `X`, or
    `X` in a folder `masks` in or beside that of the scan, is the mask of `X` and no scan.

    Volumes whose names hold `mask`, `seg`, `label` or `OTMulti` are no scans, and folders `derivatives` and,
    below a subject of BIDS, all but anatomy are passed over for volumes. The group of a volume is its BIDS
    subject, else the folder that it lies in, where that is below this one and is no class; else its own.

    DICOM files, whatever they are called, give a row for each series, named after its folder and its number.
    What is no scan (a localizer, a derived image) is no row; `aside` gains its name and the reason.
    Where a folder holds a DICOMDIR, the series that it names are the scans, and the rest below is set aside.
    A folder below this one that cannot be listed, or a path that is too long, is one row: reading that tells.
    Raises BadTable where there is neither picture nor volume, OSError where this folder cannot be listed.
    """
    barred: list[Path] = []
    found = list(_pictures(folder, barred))
    told: list[tuple[str, str]] = [] if aside is None else aside
    indexes = [path for path in found if is_index(path)]
    discs = [row for index in indexes for row in _disc_rows(folder, index, found, told)]
    files = [path for path in found if is_dicom(path)]
    series = [*discs, *_series_rows(folder, files, told), *(_row(folder, path, None) for path in barred)]
    pictures = [path for path in found if path not in set(files)] if files else found
    if series and not pictures:
        return series
    if (files or told) and not pictures:
        raise BadTable(
            f"{folder}: expected a folder with scans, received DICOM files of which none is one: "
            f"{', '.join(sorted({reason for _, reason in told})) or 'no image'}. "
            "To judge one anyway, name its file."
        )
    if not pictures:
        raise BadTable(
            f"{folder}: expected a folder with pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) "
            f"or volumes ({', '.join(VOLUME_SUFFIXES)}), received none. Check the path, and the suffixes of "
            "the files."
        )
    beside = {(picture.parent, stem_of(picture)): picture for picture in pictures}
    masks = {p: m for p in pictures if (m := beside.get((p.parent, f"{stem_of(p)}_mask"))) is not None}
    others = set(masks.values()) | {
        path for path in pictures if is_volume(path) and not _is_scan(folder, path)
    }
    if len(others) == len(pictures) and not series:
        raise BadTable(
            f"{folder}: expected a folder with scans, received {len(others)} volumes of which none is one by "
            "its name or folder, such as masks. Name the files themselves, or list them in a table."
        )
    apart = cache(partial(_masks_beside, aside=told))
    rows = [
        _row(folder, picture, masks.get(picture) or apart(picture.parent).get(stem_of(picture)))
        for picture in pictures
        if picture not in others
    ]
    return with_own_names(rows + series)


def _disc_rows(folder: Path, place: Path, found: list[Path], aside: list[tuple[str, str]]) -> list[Row]:
    """Return the rows of what a DICOMDIR names; what else lies below it is taken out of those `found`.

    One that cannot be read is set aside, and its folder taken as any other.
    """
    if place not in found:  # below another one, and taken out with it
        return []
    disc = place.parent.relative_to(folder)
    found.remove(place)
    try:
        index = read_index(place)
    except UnreadableScan:
        aside.append(
            (as_text(disc / place.name), "an index that cannot be read: its folder is taken instead")
        )
        return []
    named = {file for study in index.studies for file in study.files}
    others = [path for path in found if path not in named and path.is_relative_to(place.parent)]
    found[:] = [path for path in found if not path.is_relative_to(place.parent)]
    aside += [(as_text(path.relative_to(folder)), "not named by the DICOMDIR") for path in others]
    like = _row(folder, place, None)
    return [row for name, series in series_named(index) for row in _rows_of(disc / name, series, like, aside)]


def _rows_of(name: Path, series: Series, like: Row, aside: list[tuple[str, str]]) -> list[Row]:
    """Return the row of a series that is a scan, else none; without a group: that is told by its header."""
    if series.aside is not None:
        aside.append((as_text(name), series.aside))
        return []
    volume = None if series.volume is None else str(series.volume)
    return [replace(like, path=series.path, name=as_text(name), group=None, volume=volume)]


def _series_rows(folder: Path, files: list[Path], aside: list[tuple[str, str]]) -> list[Row]:
    """Return a row for each DICOM series that is a scan."""
    rows: list[Row] = []
    for place, series in series_below(files):
        name = place.relative_to(folder) / series.name
        rows += _rows_of(name, series, _row(folder, series.path, None), aside)
    return rows


def _is_scan(folder: Path, volume: Path) -> bool:
    """Tell by its name and folders whether a volume is a scan, not a mask, a map or another modality."""
    parts = volume.relative_to(folder).parts
    subject = next((place for place, part in enumerate(parts) if part.startswith("sub-")), len(parts))
    apart = set(parts[:-1]) & set(_NO_SCAN_FOLDERS) or set(parts[subject:-1]) & set(_NO_ANATOMY)
    return not apart and _NO_SCAN.search(stem_of(volume)) is None


def _pictures(folder: Path, barred: list[Path]) -> Iterator[Path]:
    """Yield the pictures below a folder, sorted, however deep they lie; `barred` gains what none can see."""
    visited: set[tuple[int, int]] = set()
    waiting = [_inside(folder, visited)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        try:
            if entry.is_dir():
                if entry.name.lower() not in _MASK_FOLDERS:
                    waiting.append(_inside(entry, visited))
                continue
        except OSError:
            barred.append(entry)
            continue
        if entry.suffix.lower() in PICTURE_SUFFIXES or is_volume(entry):
            yield entry


def _inside(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Return what lies in a folder, sorted; each real folder once, so that no link leads in circles."""
    status = folder.stat()
    place = status.st_dev, status.st_ino
    entries = [] if place in visited else sorted(folder.iterdir())
    visited.add(place)
    return iter([entry for entry in entries if not entry.name.startswith(".") and entry.name != "__MACOSX"])


def _masks_beside(folder: Path, aside: list[tuple[str, str]]) -> dict[str, Path]:
    """Return the masks kept apart for the scans of a folder, by the stem of the scan.

    `aside` gains a folder of masks that cannot be listed.
    """
    places = [place / name for place in (folder.absolute().parent, folder) for name in _MASK_FOLDERS]
    found: dict[str, Path] = {}
    for place in places:
        try:
            masks = sorted(place.iterdir()) if place != folder.absolute() and place.is_dir() else []
        except OSError as error:
            aside.append((as_text(place), f"masks that cannot be listed ({error.strerror})"))
            continue
        for mask in masks:
            if mask.suffix.lower() in PICTURE_SUFFIXES or is_volume(mask):
                found[stem_of(mask).removesuffix("_mask")] = mask
    return found


def _row(folder: Path, picture: Path, mask: Path | None) -> Row:
    inside = picture.relative_to(folder)
    classes = inside.parts[:-1]
    kind = next((name for name in reversed(classes) if label_of(name)), classes[0] if classes else None)
    label = label_of(kind) if kind else None
    return Row(picture, as_text(inside), label=label, group=_group(inside), kind=kind, mask=mask)


def as_text(inside: Path) -> str:
    """Return a path as text; file names need not be text, and what cannot be written is spelt out."""
    return inside.as_posix().encode("utf-8", "backslashreplace").decode()


def _group(inside: Path) -> str | None:
    """Return the patient that a volume seems to be of, by its path below the folder; of a picture, none."""
    if not is_volume(inside):
        return None
    if subject := bids_subject(inside):
        return subject
    alone = inside.parent == Path() or label_of(inside.parent.name) is not None
    return (inside.with_name(stem_of(inside)) if alone else inside.parent).as_posix()
