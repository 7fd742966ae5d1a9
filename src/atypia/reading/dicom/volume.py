"""Reading a DICOM series into a Volume, by any of its files."""

from __future__ import annotations

from itertools import groupby, islice
from pathlib import Path

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.folder import Series, read_series
from atypia.reading.dicom.pixels import check_size, read_images
from atypia.reading.dicom.stack import MOST_MISSING, Stack, listed
from atypia.reading.nifti import MAX_VOXELS
from atypia.reading.picture import check_regular
from atypia.reading.volume import Grid, Volume

_KIND = "a file of a DICOM series"


def first_file(path: Path) -> Path:
    """Return the file of the first slice of the series that a file belongs to; the file itself where none."""
    try:
        return series_of(path).path
    except UnreadableScan:
        return path


def series_of(path: Path) -> Series:
    """Return the series, among those of its folder, that a file belongs to.

    Raises UnreadableScan where the file cannot be read, or holds several volumes of which none is the first.
    """
    check_regular(path, _KIND)
    if not is_dicom(path):
        raise UnreadableScan(path, _KIND, "a file of another kind")
    try:
        beside = read_series(path.parent)
    except OSError:  # the folder may not be listed, or changes meanwhile
        beside = read_series(path.parent, [path])
    holding = [series for series in beside if path in series.files]
    if len(holding) > 1:
        listed = [series for series in holding if series.aside is None]
        holding = listed or holding
    if len(holding) != 1:
        raise UnreadableScan(
            path,
            "a DICOM file with one volume",
            f"one with {len(holding)}" if holding else "a list of files or an object without an image",
            "Export each echo, direction or time as a series of its own.",
        )
    return holding[0]


def read_dicom(path: Path, *, name: str | None = None, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read the series that a file belongs to, from the files of its folder, as one volume.

    The first axis of the grid runs along the rows of the images, the second down their columns, the third
    from slice to slice; slices that are missing, or cannot be read, hold
    the least of the other values. `path` becomes the file of the
    first slice, `group` a keyed hash of the patient's id. Raises UnreadableScan.
    """
    series = series_of(path)
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
