"""A volume as it was read, cut into slices as a radiologist sees them, and slices put back into its grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.scan import Scan

PLANES = ("axial", "coronal", "sagittal")

# Of each plane the anatomical axis across it, and those of its rows and columns: 0 right, 1 anterior, 2 up.
_AXES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
_SHORT = {"axial": "ax", "coronal": "co", "sagittal": "sa"}
_CLEARLY_COARSER = 1.2

Grid = NDArray[np.float32]
Voxel = TypeVar("Voxel", bound=np.generic)


def slice_name(plane: str, index: int) -> str:
    """Return the short name of a slice, which follows the name of its volume.

    >>> slice_name("axial", 85)
    'ax085'
    """
    return f"{_SHORT[plane]}{index:03d}"


def volume_name(volume: str) -> str:
    """Return the short name of one of the volumes of a file, which follows the name of the file.

    >>> volume_name("3"), volume_name("mean")
    ('vol3', 'mean')
    """
    return f"vol{volume}" if volume.isdecimal() else volume


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume as it was read.

    `pixels` is float32 (I, J, K), grey, in the file's own units and on its own grid.
    `affine` is float64 (4, 4): from voxel index (i, j, k, 1) to mm towards right, anterior and superior.
    `name` is what the user calls it; `notes` say what was odd about the file and how it was taken; the other
    fields are those of Scan.
    Oblique grids are cut along their own axes: each stands for the anatomical one that it is nearest to.
    Raises UnreadableScan for a shape or an affine that no volume can have.
    """

    pixels: Grid
    affine: NDArray[np.float64]
    name: str
    path: Path | None = None
    sequence: str | None = None
    modality: str | None = None
    scanner: str | None = None
    group: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = self.path or self.name
        if self.pixels.ndim != 3 or not self.pixels.size:
            raise UnreadableScan(where, "a volume of three axes", f"one of the shape {self.pixels.shape}")
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise UnreadableScan(where, "a 4x4 affine of finite numbers", "another", _AFFINE_HINT)
        # Relative to the sizes of the voxel, so that small voxels are none that are flat.
        sizes = np.linalg.norm(self.affine[:3, :3], axis=0)
        if not sizes.all() or abs(np.linalg.det(self.affine[:3, :3] / sizes)) < 1e-3:
            raise UnreadableScan(
                where, "voxels with a volume", "an affine whose determinant is zero", _AFFINE_HINT
            )

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """The sizes of a voxel in mm along the grid's own axes."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return i, j, k

    @property
    def plane(self) -> str:
        """The plane of acquisition: across the axis along which voxels are clearly the longest, else axial.

        Clearly is a fifth longer than along both others. An axis of a single slice counts before all.
        """
        shape, sizes = self.pixels.shape, self.spacing
        across = {plane: self._axes[_AXES[plane][0]][0] for plane in PLANES}
        for plane, axis in across.items():
            if shape[axis] == 1:
                return plane
        for plane, axis in across.items():
            if sizes[axis] >= _CLEARLY_COARSER * max(sizes[other] for other in range(3) if other != axis):
                return plane
        return "axial"

    def axis_across(self, plane: str) -> int:
        """Return the grid's own axis along which the slices of this plane are counted."""
        return self._axes[_AXES[plane][0]][0]

    def counts_up(self, plane: str) -> bool:
        """Tell whether slices are counted towards superior, anterior or left, by the plane."""
        across = _AXES[plane][0]
        towards = self._axes[across][1]
        return not towards if across == 0 else towards

    def spacing_in(self, plane: str) -> tuple[float, float]:
        """Return the size of a pixel of this plane's slices in mm, (row, column)."""
        rows, columns = (self._axes[axis][0] for axis in _AXES[plane][1:])
        return self.spacing[rows], self.spacing[columns]

    def slice_count(self, plane: str) -> int:
        """Return how many slices of this plane there are."""
        return int(self.pixels.shape[self.axis_across(plane)])

    def slice(self, plane: str, index: int) -> Scan:
        """Return a slice (H, W) as it is shown on a screen, with the size of its pixels in mm.

        `index` counts along the grid's own axis, from 0, as viewers count voxels. Axial: front at the top,
        the patient's right on the left. Coronal: crown at the top, right on the left. Sagittal: crown at the
        top, front on the left. Raises UnreadableScan where there is no such slice.
        """
        pixels = self._shown(self.pixels, plane, index).copy()
        return Scan(
            pixels,
            name=f"{self.name}:{slice_name(plane, index)}",
            path=self.path,
            spacing=self.spacing_in(plane),
            plane=plane,
            sequence=self.sequence,
            modality=self.modality,
            scanner=self.scanner,
            group=self.group,
        )

    def empty(self) -> Grid:
        """Return a grid of the volume's own shape, float32 (I, J, K), filled with 0: for `place`."""
        return np.zeros(self.pixels.shape, np.float32)

    def stacked(self, grid: NDArray[Voxel], plane: str) -> NDArray[Voxel]:
        """Return a view (N, H, W) of a grid (I, J, K): its slices of this plane as `slice` shows them."""
        axes = self._axes
        (across, _), (rows, down), (columns, along) = (axes[axis] for axis in _AXES[plane])
        view: NDArray[Voxel] = np.moveaxis(grid, (across, rows, columns), (0, 1, 2))
        # Rows go from front to back or from the crown down, columns to the patient's left or to the back.
        return view[:, :: -1 if down else 1, :: -1 if along else 1]

    def place(self, grid: NDArray[Voxel], plane: str, index: int, picture: NDArray[Voxel]) -> None:
        """Put a picture (H, W) of a slice, as `slice` shows it, into its place in a grid (I, J, K).

        It is the exact inverse of `slice`. Raises ValueError where grid or picture has another shape.
        """
        if grid.shape != self.pixels.shape:
            raise ValueError(f"expected a grid of {self.pixels.shape}, received {grid.shape}")
        place = self._shown(grid, plane, index)
        if place.shape != picture.shape:
            raise ValueError(f"expected a picture of {place.shape}, received {picture.shape}")
        place[...] = picture

    def _shown(self, grid: NDArray[Voxel], plane: str, index: int) -> NDArray[Voxel]:
        """Return a view of a slice of the grid in the orientation in which it is shown."""
        count = self.slice_count(plane)
        if not 0 <= index < count:
            raise UnreadableScan(
                self.path or self.name, f"a slice {plane} from 0 to {count - 1}", f"the slice {index}"
            )
        shown: NDArray[Voxel] = self.stacked(grid, plane)[index]
        return shown

    @cached_property
    def _axes(self) -> tuple[tuple[int, bool], ...]:
        """Return of right, anterior and superior the grid's axis, and whether the grid counts that way."""
        from nibabel.orientations import io_orientation  # here, because few scans are volumes

        found = io_orientation(self.affine)
        axes = {int(world): (axis, bool(sign > 0)) for axis, (world, sign) in enumerate(found)}
        return tuple(axes[world] for world in range(3))


_AFFINE_HINT = "Export the volume again; its header does not say where the voxels are."
