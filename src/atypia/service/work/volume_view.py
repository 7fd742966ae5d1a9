"""A judged volume as the page looks at it: in 8 bits, without the air around the head, to open at once."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.overlay import HeatScale
from atypia.reading.volume import Grid

_FAST = 1
_STEPS = 255
_ROBUST = (0.5, 99.5)
_AIR = 0.05
"""How far above its darkest values what is not air begins, as a share of the range of a scan."""
_THIN = 4
"""Percentiles are taken of every fourth voxel along each axis."""

Box = tuple[slice, slice, slice]
Bytes = NDArray[np.uint8]


def write_view(
    scan: Grid,
    heat: Grid | None,
    labels: NDArray[np.uint16] | None,
    affine: NDArray[np.float64],
    scale: HeatScale,
    folder: Path,
) -> None:
    """Write a volume (I, J, K), its heat and the ranks of its regions for the page.

    The files are `scan.nii.gz`, `heat.nii.gz` and, where there are regions, `regions.nii.gz`. Each value is a
    whole number from 0 to 255, which the header takes back to the file's own units. Of the heat, they go from
    as far below where it becomes visible as it takes to be full, to as far above where it is full; of the
    scan, its lowest and highest half percent are cut. All have the same box around the head, and an affine
    that puts it where it is. Raises OSError.
    """
    folder.mkdir()
    low, high = (float(one) for one in np.percentile(scan[::_THIN, ::_THIN, ::_THIN], _ROBUST))
    box = head_of(scan, low + _AIR * (high - low), labels)
    moved = affine.copy()
    moved[:3, 3] = affine[:3] @ [*(side.start for side in box), 1]
    _write(folder / "scan.nii.gz", in_bytes(scan[box], low, high), moved, low, high)
    if heat is not None:
        clear, full = scale
        low, high = 2 * clear - full, 3 * full - 2 * clear
        _write(folder / "heat.nii.gz", in_bytes(heat[box], low, high), moved, low, high)
    if labels is not None and labels.any():
        ranks = np.asarray(np.minimum(labels[box], _STEPS), np.uint8)
        _write(folder / "regions.nii.gz", ranks, moved, 0, _STEPS)


def head_of(scan: Grid, air: float, labels: NDArray[np.uint16] | None = None) -> Box:
    """Return the box (I, J, K) of what is brighter than `air`, with all regions; all of it where nothing is.

    >>> scan = np.zeros((4, 5, 6), np.float32)
    >>> scan[1:3, 2, 3:] = 1
    >>> head_of(scan, 0.5)
    (slice(1, 3, None), slice(2, 3, None), slice(3, 6, None))
    """
    inside = scan > air
    if labels is not None:
        inside |= labels > 0
    box = []
    for axis in range(3):
        across = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(across[0]), int(across[-1]) + 1) if across.size else slice(0, scan.shape[axis]))
    return box[0], box[1], box[2]


def in_bytes(values: Grid, low: float, high: float) -> Bytes:
    """Return values as 0 (at `low` or below) to 255 (at `high` or above).

    >>> in_bytes(np.float32([[[0.0, 1.0, 2.0, 9.0]]]), 0, 2).tolist()
    [[[0, 128, 255, 255]]]
    """
    shown = (values - np.float32(low)) * np.float32(_STEPS / ((high - low) or 1))
    return np.asarray(np.clip(np.nan_to_num(shown), 0, _STEPS) + 0.5, np.uint8)


def _write(path: Path, values: Bytes, affine: NDArray[np.float64], low: float, high: float) -> None:
    import nibabel  # here, because few scans are volumes

    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter((high - low) / _STEPS or 1, low)
    image.header["cal_min"], image.header["cal_max"] = low, high
    path.write_bytes(gzip.compress(image.to_bytes(), _FAST, mtime=0))
