"""Listing the scans in a folder, with the labels that class folders give and the masks that lie beside."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from atypia.errors import BadTable
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.reading.row import Row

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


def label_of(word: str) -> str | None:
    """Return the label that a class folder's name stands for, where it stands for one.

    >>> label_of("No Tumor"), label_of("glioma"), label_of("patient 7")
    ('normal', 'abnormal', None)
    """
    return _LABEL_OF.get("".join(letter for letter in word.lower() if letter.isalnum()))


def read_folder(folder: Path) -> list[Row]:
    """List the pictures in a folder and below it, sorted by path.

    The innermost folder whose name stands for a label gives `label` and `kind`; where there is none, `kind`
    is the name of the outermost. Hidden files and folders are passed over. A picture `X_mask` beside `X`, or
    `X` in a folder `masks` in or beside that of the scan, is the mask of `X` and no scan.
    Raises BadTable where there is no picture.
    """
    pictures = list(_pictures(folder, set()))
    if not pictures:
        raise BadTable(
            f"{folder}: expected a folder with pictures ({', '.join(sorted(PICTURE_SUFFIXES))}), "
            "received none. Check the path, and the suffixes of the files."
        )
    beside = {(picture.parent, picture.stem): picture for picture in pictures}
    masks = {p: m for p in pictures if (m := beside.get((p.parent, f"{p.stem}_mask"))) is not None}
    others = set(masks.values())
    apart = cache(_masks_beside)
    return [
        _row(folder, picture, masks.get(picture) or apart(picture.parent).get(picture.stem))
        for picture in pictures
        if picture not in others
    ]


def _pictures(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the pictures below a folder, sorted; each real folder once, so that no link leads in circles."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in visited:
        return
    visited.add((status.st_dev, status.st_ino))
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            if entry.name.lower() not in _MASK_FOLDERS:
                yield from _pictures(entry, visited)
        elif entry.suffix.lower() in PICTURE_SUFFIXES:
            yield entry


def _masks_beside(folder: Path) -> dict[str, Path]:
    """Return the masks kept apart for the scans of a folder, by the stem of the scan."""
    places = [place / name for place in (folder.absolute().parent, folder) for name in _MASK_FOLDERS]
    found: dict[str, Path] = {}
    for place in places:
        if place != folder.absolute() and place.is_dir():
            for mask in sorted(place.iterdir()):
                if mask.suffix.lower() in PICTURE_SUFFIXES:
                    found[mask.stem.removesuffix("_mask")] = mask
    return found


def _row(folder: Path, picture: Path, mask: Path | None) -> Row:
    inside = picture.relative_to(folder)
    classes = inside.parts[:-1]
    kind = next((name for name in reversed(classes) if label_of(name)), classes[0] if classes else None)
    # File names need not be text; what cannot be written to a table is spelt out.
    name = inside.as_posix().encode("utf-8", "backslashreplace").decode()
    return Row(picture, name, label=label_of(kind) if kind else None, kind=kind, mask=mask)
