"""Reading a DICOM series into a Volume, by any of its files."""

from __future__ import annotations

from itertools import groupby, islice
from pathlib import Path

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.folder import Series, read_series, read_study, volumes_in
from atypia.reading.dicom.index import index_over
from atypia.reading.dicom.pixels import check_size, read_images
from atypia.reading.dicom.stack import MOST_MISSING, Stack, listed
from atypia.reading.nifti import MAX_VOXELS
from atypia.reading.picture import check_regular
from atypia.reading.volume import Grid, Volume

_KIND = "a file of a DICOM series"


def series_of(path: Path, volume: int | None = None) -> Series:
    """Return the series that a file belongs to, of several in it the one of the number `volume`, from 0.

    Raises UnreadableScan where the file cannot be read, or holds several volumes and none is named, or fewer.
    """
    found = all_series_of(path)
    if not found:
        received = "a list of files or an object without an image"
        raise UnreadableScan(path, "a DICOM file with an image", received)
    if volume is None and len(found) > 1:
        raise UnreadableScan(
            path,
            "a DICOM file with one volume, or the number of one in it",
            f"one with {len(found)}",
            "Name it by its number, from 0, in the column volume of a table.",
        )
    if volume is not None and volume >= len(found):
        held = "one volume" if len(found) == 1 else f"{len(found)} volumes"
        raise UnreadableScan(path, f"a DICOM file with a volume {volume}, counted from 0", f"one with {held}")
    return found[volume or 0]


def all_series_of(path: Path) -> list[Series]:
    """Return the series that a file belongs to: one, or each volume of an enhanced file; none without image.

    What belongs together a DICOMDIR above the file tells, else it lies in one folder.
    Raises UnreadableScan where the file cannot be read.
    """
    check_regular(path, _KIND)
    if not is_dicom(path):
        raise UnreadableScan(path, _KIND, "a file of another kind")
    try:
        index = index_over(path)
        study = index.study_of(path) if index is not None else None
        beside = read_series(path.parent) if study is None else read_study(study)
    except OSError:  # the folder may not be listed, or changes meanwhile
        beside = read_series(path.parent, [path])
    return volumes_in(path, beside)


def read_dicom(
    path: Path, *, name: str | None = None, volume: int | None = None, max_voxels: int = MAX_VOXELS
) -> Volume:
    """Read the series that a file belongs to, of several in it the one of the number `volume`, as one volume.

    The first axis of the grid runs along the rows of the images, the second down their columns, the third
    from slice to slice; slices that are missing, or cannot be read, hold
    the least of the other values. `path` becomes the file of the
    first slice, `group` a keyed hash of the patient's id. Raises UnreadableScan.
    """
    series = series_of(path, volume)
    if series.stack is None:
        raise _again(series.error) or UnreadableScan(path, "an MR image", series.aside or "another object")
    stack, first = series.stack, series.stack.frames[0]
    check_size(first, stack.depth, max_voxels)
    pixels, lost = _pixels(stack, max_voxels)
    return Volume(
        pixels,
        stack.affine,
        name or series.name,
        path=series.path,
        sequence=first.sequence,
        modality=first.modality,
        scanner=first.scanner,
        group=first.group,
        notes=(*stack.notes, *lost),
    )


def _again(error: UnreadableScan | None) -> UnreadableScan | None:
    """Return an error anew: one that is kept, and raised again and again, would gather tracebacks."""
    return None if error is None else UnreadableScan(error.path, error.expected, error.received, error.hint)


def _pixels(stack: Stack, max_voxels: int) -> tuple[Grid, tuple[str, ...]]:
    """Return the values on the grid, float32 (columns, rows, depth), and what images could not be read.

    Raises UnreadableScan where they are more than a fifth.
    """
    rows, columns = stack.frames[0].size
    grid = np.zeros((columns, rows, stack.depth), np.float32)
    read: set[int] = set()
    lost: UnreadableScan | None = None
    places = iter(stack.places)
    for _, group in groupby(stack.frames, key=lambda frame: frame.path):
        frames = list(group)
        ours = list(islice(places, len(frames)))
        try:
            for place, image in zip(ours, read_images(frames, max_voxels), strict=True):
                grid[:, :, place] = image.T
            read.update(ours)
        except UnreadableScan as error:
            lost = lost or error
    missing = stack.depth - len(read)
    if lost is not None and missing > MOST_MISSING * stack.depth:
        raise lost
    if missing:
        inside = np.isin(np.arange(stack.depth), sorted(read))
        grid[:, :, ~inside] = grid[:, :, inside].min()
    unread = sorted(set(stack.places) - read)
    return grid, (f"slices that could not be read, left empty: {listed(unread)}",) if unread else ()
