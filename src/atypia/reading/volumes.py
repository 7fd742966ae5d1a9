"""Volumes by their files, kept while their slices are asked for, and the slices that are worth a look."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from atypia.errors import BadTable, UnreadableScan
from atypia.in_order import in_order
from atypia.progress import progress
from atypia.reading.cutting import AS_IT_IS, MEAN, WHOLE, Cutting
from atypia.reading.dicom import is_dicom, one_per_series, read_dicom
from atypia.reading.fetched import fetched
from atypia.reading.head_extent import with_head
from atypia.reading.nifti import NIFTI_SUFFIXES, holds_several, is_nifti, read_nifti
from atypia.reading.planes import planes_to_cut, too_coarse
from atypia.reading.row import Row
from atypia.reading.stripping import strip
from atypia.reading.volume import PLANES, Volume, slice_name, volume_name
from atypia.remote import is_remote
from atypia.scan import Mask
from atypia.scratch import Scratch

VOLUME_SUFFIXES = NIFTI_SUFFIXES

# Two threads read slices while earlier ones are drawn, and volumes of few slices are soon gone through.
_KEPT, _KEPT_BYTES = 2, 256 * 2**20
_WORKERS, _AHEAD = 2, 4


def is_volume(path: Path) -> bool:
    """Tell whether a file holds a volume: by its name, or, where that says nothing, whether it is DICOM."""
    return is_nifti(path) or is_dicom(path)


def open_volume(path: Path, stripped: str = WHOLE, volume: str | None = None) -> Volume:
    """Read a volume, or return it from memory where it was read just before; threads may share it.

    Its name is that of the file; by `stripped`, a method of `strip`, its skull is taken off. Of a file that
    holds several, `volume` names one: see Row.
    Raises UnreadableScan, and MissingTool for a tool that is not installed.
    """
    return _SCANS.get(path, stripped, volume)


def open_mask_volume(path: Path) -> Volume:
    """Read a volume of labels as `open_volume` does, kept apart from the scans."""
    return _MASKS.get(path)


def with_slices(rows: Sequence[Row], cutting: Cutting = AS_IT_IS) -> list[Row]:
    """Replace every row of a whole volume by the rows of its slices; other rows stay as they are.

    A volume whose row names no plane is cut in those of `cutting` for which it is not too coarse; without
    any, in that of acquisition. One that cannot be read or cut keeps a row, and reading that gives the error.
    """
    rows = [
        _chosen(row, cutting.volume) if row.slice is None else replace(row, strip=cutting.strip)
        for row in rows
    ]
    if not any(_is_whole(row) for row in rows):
        return rows
    rows = one_per_series(rows)
    parted = in_order(lambda row: _slices_or_row(row, cutting), rows, workers=_WORKERS, ahead=_AHEAD)
    shown = progress(parted, total=len(rows), label="looking for slices")
    return [row for part in shown for row in part]


def list_slices(row: Row) -> list[Row]:
    """Return a row for each slice of a volume's plane that shows enough of the head.

    The plane is the row's, else that of acquisition. A slice is listed where at least a fifth as many voxels
    differ from the background as in the slice with the most. The rest of the row goes to every slice, but
    with a mask on the same grid a slice of an abnormal volume is abnormal only where the mask has voxels;
    the others are normal, or without a label in the split `tumor_test`.
    Raises UnreadableScan where volume or mask cannot be read or do not fit together, or the volume is too
    coarse for the plane.
    """
    volume = open_volume(row.path, row.strip, row.volume)
    plane = _plane(row, volume)
    if (reason := too_coarse(volume, plane)) is not None:
        raise UnreadableScan(
            row.path,
            f"a volume that is fine enough to be cut in the {plane} plane",
            reason,
            f"It was acquired in the {volume.plane} plane: use it in that.",
        )
    listed = [
        replace(row, name=f"{row.name}:{slice_name(plane, index)}", plane=plane, slice=index)
        for index in with_head(volume, plane)
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
    volume = open_volume(row.path, row.strip, row.volume)
    mask = open_mask_volume(row.mask)
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


def _chosen(row: Row, volume: str | None) -> Row:
    """Let a row of a NIfTI file that holds several volumes name one, where it names none itself."""
    if volume is None or row.volume is not None or not is_nifti(row.path) or not holds_several(row.path):
        return row
    return replace(row, volume=volume, name=f"{row.name}:{volume_name(volume)}")


def _slices_or_row(row: Row, cutting: Cutting) -> list[Row]:
    if not _is_whole(row):
        return [row]
    row, planes = replace(row, strip=cutting.strip), cutting.planes
    if row.plane is not None or not planes:
        return _slices_in(row)
    try:
        cut = planes_to_cut(open_volume(row.path, row.strip, row.volume), planes)
    except UnreadableScan:
        return [row]
    return [one for plane in cut or planes[:1] for one in _slices_in(replace(row, plane=plane))]


def _slices_in(row: Row) -> list[Row]:
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


def _labelled(row: Row, mask: Mask) -> Row:
    if mask.any():
        return row
    return replace(row, label=None if row.split == "tumor_test" else "normal", mask=None)


class _Recent:
    """Keeps the volumes read last: two at least, and more while they are small."""

    def __init__(self, read: Callable[[Path, str | None], Volume]) -> None:
        self._read = read
        self._kept: OrderedDict[tuple[str, str | None, str, int, int], Volume] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, stripped: str = WHOLE, volume: str | None = None) -> Volume:
        """Return a volume, its skull taken off; the second thread that wants one waits for the first."""
        with self._lock:
            key = (stripped, volume, *_identity(path))
            found = self._kept.pop(key, None) or strip(self._read(path, volume), stripped)
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


def _read(path: Path, volume: str | None) -> Volume:
    if is_remote(path):
        return _read_object(path, volume)
    if not is_dicom(path):
        return read_nifti(path, volume=volume)
    if volume == MEAN:
        raise UnreadableScan(path, "the number of a volume in a DICOM file, from 0", volume)
    return read_dicom(path, volume=None if volume is None else int(volume))


def _read_object(path: Path, volume: str | None) -> Volume:
    """Read a NIfTI volume out of an object store."""
    if not is_nifti(path):
        raise UnreadableScan(
            path,
            "in an object store a picture or a NIfTI volume",
            "a DICOM file",
            "Copy the series to a folder.",
        )
    with Scratch() as folder:
        file = Path(folder, path.name)
        file.write_bytes(fetched(path, "a NIfTI volume"))
        try:
            return replace(read_nifti(file, volume=volume), path=path)
        except UnreadableScan as error:
            raise UnreadableScan(path, error.expected, error.received, error.hint) from error


_SCANS, _MASKS = _Recent(_read), _Recent(_read)
