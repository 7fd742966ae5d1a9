"""The regions of a volume in three dimensions, and their table on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.volume_finding import Heat, Labels, VolumeFinding, VolumeRegion
from atypia.writing.rows import Columns, RowsWriter, printable

_MOST = int(np.iinfo(np.uint16).max)

_COLUMNS: Columns = {
    "volume": str,
    "rank": int,
    "voxels": int,
    "volume_mm3": float,
    "peak": float,
    "mean": float,
    "p_value": float,
    "centre_right": float,
    "centre_anterior": float,
    "centre_superior": float,
    "extent_right": float,
    "extent_anterior": float,
    "extent_superior": float,
    **dict.fromkeys(("i0", "j0", "k0", "i1", "j1", "k1"), int),
    "first_slice": str,
    "last_slice": str,
    "plane": str,
}


class VolumeRegionsWriter(RowsWriter):
    """Writes the regions of volumes, a row for each, to a `.csv`, `.jsonl` or `.parquet` file.

    The columns are volume (its name among the volumes) and the fields of VolumeRegion: centre and extent in
    mm along the patient's axes, box in voxels of the volume's grid; first_slice and last_slice, between which
    it goes through all, and the plane of those slices. All else is as in RowsWriter.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _COLUMNS)

    def write(self, finding: VolumeFinding) -> None:
        """Add the regions of one volume, none or more; raise OutputError where there is no room for them."""
        for region in finding.regions:
            about = (region.voxels, region.volume_mm3, region.peak, region.mean, region.p_value)
            place = (*region.centre, *region.extent, *region.box)
            ends = (region.slices[0], region.slices[-1])
            self.write_row((printable(finding.name), region.rank, *about, *place, *ends, finding.plane))


@dataclass(frozen=True, eq=False)
class Marked:
    """Where the slices of a volume are unlike healthy scans.

    `marks` is uint8 (I, J, K): k inside the k-th region of that slice, 0 elsewhere. `across` is the axis that
    slices are counted along; `p_values` has, by a slice's index, those of its regions in order, and `names`
    its short name.
    """

    marks: NDArray[np.uint8]
    across: int
    p_values: Mapping[int, Sequence[float]]
    names: Mapping[int, str]


def find_volume_regions(
    marked: Marked, heat: Heat, affine: NDArray[np.float64]
) -> tuple[tuple[VolumeRegion, ...], Labels]:
    """Return the regions of a volume, the most striking first, and labels (I, J, K): k inside the k-th.

    A region is what hangs together of the slices' regions over faces, edges and corners of voxels (26
    neighbours). The smaller p-value comes first, then what holds more of the map, the sum of `heat` (I, J, K)
    in it, so that a large lesion stands before a bright speck. None is left out for being small: what is
    significant in its slice stays so. `affine` leads from voxels to mm.
    """
    labels: Labels = np.zeros(marked.marks.shape, np.uint16, order="F")
    window = _window(marked.marks)
    if window is None:
        return (), labels
    pieces, _ = ndimage.label(marked.marks[window], np.ones((3, 3, 3), bool))
    found: list[tuple[VolumeRegion, NDArray[np.intp]]] = []
    for number, box in enumerate(ndimage.find_objects(pieces), 1):
        corner = [outer.start + inner.start for outer, inner in zip(window, box, strict=True)]
        voxels = np.argwhere(pieces[box] == number) + corner
        found.append((_region(voxels, marked, heat, affine), voxels))
    found.sort(key=lambda one: (one[0].p_value, -one[0].mean * one[0].voxels))
    for rank, (_, voxels) in enumerate(found[:_MOST], 1):
        labels[tuple(voxels.T)] = rank
    return tuple(replace(region, rank=rank) for rank, (region, _) in enumerate(found[:_MOST], 1)), labels


def _window(marks: NDArray[np.uint8]) -> tuple[slice, ...] | None:
    """Return the box around all marks; None where there are none."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(marks.any(axis=others))
        if not places.size:
            return None
        sides.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(sides)


def _region(
    voxels: NDArray[np.intp], marked: Marked, heat: Heat, affine: NDArray[np.float64]
) -> VolumeRegion:
    """Return the region of these voxels (N, 3), not yet ranked."""
    at = tuple(voxels.T)
    values, marks, indices = heat[at], marked.marks[at], voxels[:, marked.across]
    # Of each region of a slice that is in it: 256 times the slice, and its mark.
    codes = np.flatnonzero(np.bincount(256 * indices + marks)).tolist()
    turned, shift = affine[:3, :3], affine[:3, 3]
    places = voxels @ turned.T + shift
    # A voxel is as long as its own edges reach, so that a region of one voxel has an extent too.
    sides = np.ptp(places, axis=0) + np.abs(turned).sum(axis=1)
    low, high = voxels.min(axis=0).tolist(), (voxels.max(axis=0) + 1).tolist()
    right, anterior, superior = places.mean(axis=0).tolist()
    along = sides.tolist()
    return VolumeRegion(
        rank=0,
        voxels=len(voxels),
        volume_mm3=len(voxels) * abs(float(np.linalg.det(turned))),
        peak=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        p_value=min(marked.p_values[code // 256][code % 256 - 1] for code in codes),
        centre=(right, anterior, superior),
        extent=(along[0], along[1], along[2]),
        box=(low[0], low[1], low[2], high[0], high[1], high[2]),
        slices=tuple(marked.names[index] for index in sorted({code // 256 for code in codes})),
    )
