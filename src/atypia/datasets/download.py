"""`atypia datasets get`: fetch a public set, check what came, and table it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from atypia.atomic import atomic, not_written
from atypia.datasets.archive import unpack_images
from atypia.datasets.catalogue import PublicDataset, find_dataset
from atypia.datasets.kaggle import Download, fetch_archive
from atypia.errors import BadArchive, BadOption, BadTable, OutputError
from atypia.reading.collection import Collection, Row, read_collection, write_collection

IMAGES = "images"
TABLES = {"MRI": "table.csv", "CT": "table-ct.csv"}
SOURCE = "SOURCE.txt"
WORK = ".download"

LABELS = {"healthy": "normal", "tumor": "abnormal"}
TUMOURS = ("glioma", "meningioma", "pituitary")
PUBLISHED = {
    ("MRI", "normal"): 2000,
    ("MRI", "abnormal"): 3000,
    ("CT", "normal"): 2300,
    ("CT", "abnormal"): 2318,
}

Tables = dict[str, list[Row]]


def get_dataset(name: str, out: Path, *, least_share: float = 0.5) -> Collection:
    """Fetch a public set into a folder and return its MRI scans.

    The folder then holds `images/` as published, `table.csv` of the MRI scans (path, label, kind),
    `table-ct.csv` of the CT scans, and `SOURCE.txt`: where from, when, licence, hashes, known faults.
    A folder that is complete is not fetched again; an interrupted download goes on where it stopped.
    `least_share` is the share of the published number of scans below which a set counts as incomplete.

    Raise BadOption for a set that cannot be fetched, DownloadFailed, BadArchive or BadTable for what came,
    OutputError where the folder holds something else or cannot be written, MissingExtra without kagglehub.
    """
    dataset = find_dataset(name)
    if not dataset.fetchable or dataset.handle is None:
        raise BadOption(f"{name} cannot be fetched from here. How to get it: {dataset.how_to_get}.")
    if (out / SOURCE).exists():
        return _reuse(dataset, out)
    try:
        work = _work_folder(out)
        download = fetch_archive(dataset.handle, work)
        images = _unpack(download, work / IMAGES)
        tables = _tables(images, least_share)
        return _publish(dataset, download, tables, out)
    except OSError as error:
        raise not_written(out, error) from error
    finally:
        with suppress(OSError):  # what holds something is gone on with
            (out / WORK).rmdir()
            out.rmdir()


def _work_folder(out: Path) -> Path:
    """Return the folder for what is unfinished; its presence shows that `out` is ours to fill."""
    work = out / WORK
    if out.exists() and not work.exists() and any(out.iterdir()):
        raise OutputError(f"{out}: expected a new or empty folder, received one with other files in it.")
    work.mkdir(parents=True, exist_ok=True)
    return work


def _unpack(download: Download, images: Path) -> Path:
    shutil.rmtree(images, ignore_errors=True)
    try:
        unpack_images(download.archive, images)
    except BadArchive as error:
        download.archive.unlink()
        raise BadArchive(f"{error} It was removed: run the same command again.") from error
    return images


def _tables(images: Path, least_share: float) -> Tables:
    """Return the rows by modality; raise BadTable where the layout or the counts are not as published."""
    tables: Tables = {modality: [] for modality in TABLES}
    for path in sorted(file for file in images.rglob("*") if file.is_file()):
        modality, row = _row(path, path.relative_to(images))
        tables[modality].append(row)
    counts = Counter((modality, row.label) for modality, rows in tables.items() for row in rows)
    for (modality, label), published in PUBLISHED.items():
        received = counts[modality, label]
        if received < max(1, published * least_share):
            what = f"about {published} {label} {modality} images"
            raise BadTable(f"The set is incomplete or another one: expected {what}, received {received}.")
    return tables


def _row(path: Path, relative: Path) -> tuple[str, Row]:
    """Read label and modality from the folders, at any depth, and the kind of tumour from the file name."""
    folders = [folder.casefold() for folder in reversed(relative.parts[:-1])]
    label = next((LABELS[folder] for folder in folders if folder in LABELS), None)
    modality = next((m for folder in folders if (m := _modality(folder))), None)
    if label is None or modality is None:
        expected = "a picture below a folder 'Healthy' or 'Tumor' of a folder that names MRI or CT"
        raise BadTable(f"{relative.as_posix()}: expected {expected}; the layout of the set has changed.")
    named = next((kind for kind in TUMOURS if kind in path.stem.casefold()), "tumour")
    kind = "healthy" if label == "normal" else named
    return modality, Row(path, relative.as_posix(), label=label, kind=kind)


def _modality(folder: str) -> str | None:
    """Return the one modality that a folder's name holds; one that names both says nothing."""
    found = [m for m in TABLES if m.casefold() in re.findall(r"[a-z]+", folder)]
    return found[0] if len(found) == 1 else None


def _publish(dataset: PublicDataset, download: Download, tables: Tables, out: Path) -> Collection:
    """Move the pictures to their place, write the tables and, last of all, the note that all is there."""
    shutil.rmtree(out / IMAGES, ignore_errors=True)
    (out / WORK / IMAGES).rename(out / IMAGES)
    for modality, rows in tables.items():
        moved = tuple(replace(row, path=out / IMAGES / row.name) for row in rows)
        write_collection(Collection(moved, str(out)), out / TABLES[modality])
    note = _source_note(dataset, download, tables, _tree_hash(out / IMAGES))
    with atomic(out / SOURCE) as part:
        part.write_text(note, encoding="utf-8")
    shutil.rmtree(out / WORK)
    return read_collection(out / TABLES["MRI"])


def _source_note(dataset: PublicDataset, download: Download, tables: Tables, tree: str) -> str:
    counts = Counter((modality, row.label) for modality, rows in tables.items() for row in rows)
    with download.archive.open("rb") as opened:
        archive = hashlib.file_digest(opened, "sha256").hexdigest()
    facts = {
        "Name": dataset.name,
        "Title": dataset.title,
        "Where": dataset.where,
        "Version": download.version,
        "Fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "Licence": dataset.licence,
        "Archive sha256": archive,
        "Images sha256": tree,
        "Images": ", ".join(f"{count} {label} {modality}" for (modality, label), count in counts.items()),
    }
    lines = [f"{key}: {value}" for key, value in facts.items()]
    return "\n".join([*lines, "Known faults:", *(f"- {fault}" for fault in dataset.known_faults), ""])


def _tree_hash(images: Path) -> str:
    """Hash the names and contents of all files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(file for file in images.rglob("*") if file.is_file()):
        with path.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        total.update(f"{content}  {path.relative_to(images).as_posix()}\n".encode())
    return total.hexdigest()


def _reuse(dataset: PublicDataset, out: Path) -> Collection:
    """Return the set that is there already; raise BadTable where it is another one or was changed."""
    note = (out / SOURCE).read_text(encoding="utf-8").splitlines()
    for line in (f"Name: {dataset.name}", f"Images sha256: {_tree_hash(out / IMAGES)}"):
        if line not in note:
            hint = "Move the folder away, or name another one."
            raise BadTable(f"{out / SOURCE}: expected the line '{line}': the folder was changed. {hint}")
    return read_collection(out / TABLES["MRI"])
