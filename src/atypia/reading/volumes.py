"""Volumes by their files, kept while their slices are asked for, and the slices that are worth a look."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.errors import BadTable, UnreadableScan
from atypia.in_order import in_order
from atypia.progress import progress
from atypia.reading.dicom import is_dicom, one_per_series, read_dicom
from atypia.reading.nifti import NIFTI_SUFFIXES, is_nifti, read_nifti
from atypia.reading.row import Row
from atypia.reading.volume import PLANES, Volume, slice_name
from atypia.scan import Mask

VOLUME_SUFFIXES = NIFTI_SUFFIXES

# Two threads read slices while earlier ones are drawn, and volumes of few slices are soon gone through.
_KEPT, _KEPT_BYTES = 2, 256 * 2**20
_LEAST_SHARE = 0.2
_HEAD_LEVEL = 0.15
_WORKERS, _AHEAD = 2, 4


def is_volume(path: Path) -> bool:
    """Tell whether a file holds a volume: by its name, or, where that says nothing, whether it is DICOM."""
    return is_nifti(path) or is_dicom(path)


def open_volume(path: Path) -> Volume:
    """Read a volume, or return it from memory where it was read just before; threads may share it.

    Its name is that of the file. Raises UnreadableScan.
    """
    return _SCANS.get(path)


def open_mask_volume(path: Path) -> Volume:
    """Read a volume of labels as `open_volume` does, kept apart from the scans."""
    return _MASKS.get(path)


def with_slices(rows: Sequence[Row]) -> list[Row]:
    """Replace every row of a whole volume by the rows of its slices; other rows stay as they are.

    A volume that cannot be read keeps its one row, and reading that gives the error.
    """
    if not any(_is_whole(row) for row in rows):
        return list(rows)
    rows = one_per_series(rows)
    parted = in_order(_slices_or_row, rows, workers=_WORKERS, ahead=_AHEAD)
    shown = progress(parted, total=len(rows), label="looking for slices")
    return [row for part in shown for row in part]


def list_slices(row: Row) -> list[Row]:
    """Return a row for each slice of a volume's plane that shows enough of the head.

    The plane is the row's, else that of acquisition. A slice is listed where at least a fifth as many voxels
    differ from the background as in the slice with the most. The rest of the row goes to every slice, but
    with a mask on the same grid a slice of an abnormal volume is abnormal only where the mask has voxels;
    the others are normal, or without a label in the split `tumor_test`.
    Raises UnreadableScan where volume or mask cannot be read or do not fit together.
    """
    volume = open_volume(row.path)
    plane = _plane(row, volume)
    listed = [
        replace(row, name=f"{row.name}:{slice_name(plane, index)}", plane=plane, slice=index)
        for index in _with_head(volume, plane)
    ]
    if row.sequence is None and volume.sequence is not None:
        listed = [replace(one, sequence=volume.sequence) for one in listed]
    if row.group is None and volume.group is not None:
        listed = [replace(one, group=volume.group) for one in listed]
    if row.scanner is None and volume.scanner is not None:
        listed = [replace(one, scanner=volume.scanner) for one in listed]
    if row.mask is None or row.label != "abnormal":
        return listed
    return [_labelled(one, mask_slice(one)) for one in listed]


def mask_slice(row: Row) -> Mask:
    """Return the mask, bool (H, W), of a row that is a slice; true where the volume of labels is above 0.

    Raises UnreadableScan where it cannot be read or has another grid than the scan.
    """
    if row.mask is None or row.slice is None or row.plane is None:
        raise ValueError(f"{row.name}: expected a slice with a mask")
    if not is_volume(row.mask):
        raise UnreadableScan(row.mask, f"a mask that is a volume ({', '.join(VOLUME_SUFFIXES)})", "another")
    volume, mask = open_volume(row.path), open_mask_volume(row.mask)
    if not same_grid(volume, mask):
        raise UnreadableScan(
            row.mask,
            "a mask on the grid of its scan",
            f"{mask.pixels.shape} voxels beside {volume.pixels.shape}"
            if mask.pixels.shape != volume.pixels.shape
            else "the same size, but another affine",
            "Resample the mask to the scan.",
        )
    return np.asarray(mask.slice(row.plane, row.slice).pixels > 0)


def same_grid(one: Volume, other: Volume) -> bool:
    """Tell whether two volumes have the same shape, and the same affine to a tenth of a voxel."""
    if one.pixels.shape != other.pixels.shape:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    corners[:, :3] *= np.array(one.pixels.shape) - 1
    apart = np.abs((one.affine - other.affine) @ corners.T).max()
    return bool(apart <= 0.1 * min(one.spacing))


def _is_whole(row: Row) -> bool:
    return row.slice is None and is_volume(row.path)


def _slices_or_row(row: Row) -> list[Row]:
    if not _is_whole(row):
        return [row]
    try:
        return list_slices(row)
    except UnreadableScan:
        return [row]


def _plane(row: Row, volume: Volume) -> str:
    if row.plane is None:
        return volume.plane
    if row.plane not in PLANES:
        raise BadTable(
            f"{row.name}: expected the plane in which to cut a volume, out of {', '.join(PLANES)}, or none; "
            f"received {row.plane!r}."
        )
    return row.plane


def _with_head(volume: Volume, plane: str) -> Iterator[int]:
    """Yield the slices with at least a fifth of the largest one's head; all where nothing is seen."""
    areas = _areas(volume, plane)
    least = _LEAST_SHARE * areas.max()
    yield from (index for index, area in enumerate(areas.tolist()) if area >= least)


def _areas(volume: Volume, plane: str) -> NDArray[np.float64]:
    """Return of each slice the number of voxels (N,) that differ clearly from the background.

    The background is the median of the voxels at the sides of the slices, and clearly is by 15 in 100 of what
    the brightest voxels differ by.
    """
    cuts = [volume.slice(plane, index).pixels[::2, ::2] for index in range(volume.slice_count(plane))]
    stack = np.stack(cuts)
    rim = np.concatenate(
        [stack[:, 0].ravel(), stack[:, -1].ravel(), stack[..., 0].ravel(), stack[..., -1].ravel()]
    )
    contrast = np.abs(stack - np.float32(np.median(rim)))
    level = _HEAD_LEVEL * float(np.percentile(contrast, 99.5))
    return np.asarray(np.count_nonzero(contrast > level, axis=(1, 2)), np.float64)


def _labelled(row: Row, mask: Mask) -> Row:
    if mask.any():
        return row
    return replace(row, label=None if row.split == "tumor_test" else "normal", mask=None)


class _Recent:
    """Keeps the volumes read last: two at least, and more while they are small."""

    def __init__(self, read: Callable[[Path], Volume]) -> None:
        self._read = read
        self._kept: OrderedDict[tuple[str, int, int], Volume] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path) -> Volume:
        """Return a volume; the second thread that wants one waits for the first to have read it."""
        with self._lock:
            key = _identity(path)
            found = self._kept.pop(key, None) or self._read(path)
            self._kept[key] = found
            while len(self._kept) > _KEPT and sum(v.pixels.nbytes for v in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
            return found


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return str(path), 0, 0
    return str(path.absolute()), status.st_mtime_ns, status.st_size


def _read(path: Path) -> Volume:
    return read_dicom(path) if is_dicom(path) else read_nifti(path)


_SCANS, _MASKS = _Recent(_read), _Recent(_read)
