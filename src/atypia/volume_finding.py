"""What was found of a whole volume: its slices together, and its regions in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Finding

Heat = NDArray[np.float32]
Labels = NDArray[np.uint16]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class VolumeRegion:
    """One connected place of a volume where slices are unlike healthy scans.

    `rank` is 1 for the most striking of its volume. `voxels` counts them on the volume's own grid, and
    `volume_mm3` is what they fill. `peak` and `mean` are of the heat map inside it, in the detector's units.
    `p_value` is the smallest of the p-values of the slices' regions that it is made of, so it is what it is
    for a slice: in (0, 1], and not corrected for how many slices were looked at.
    `centre` is the mean of its voxels and `extent` the sides of the box around them, in mm along the axes of
    the patient: towards right, anterior and superior.
    `box` is (i0, j0, k0, i1, j1, k1), the last three exclusive, in voxels of the volume's own grid.
    `slices` are the short names of the slices that it goes through, such as `ax085`.
    """

    rank: int
    voxels: int
    volume_mm3: float
    peak: float
    mean: float
    p_value: float
    centre: Point
    extent: Point
    box: tuple[int, int, int, int, int, int]
    slices: tuple[str, ...]


@dataclass(frozen=True)
class SliceFinding:
    """What was said of one slice: `index` along the grid's own axis, `name` its short name.

    `score` and `p_value` are NaN and `flagged` is None where it was not judged.
    """

    index: int
    name: str
    score: float
    p_value: float
    flagged: bool | None


@dataclass(frozen=True, eq=False)
class VolumeFinding:
    """What a Screener says of one volume, cut in one plane.

    `name` is what the user calls it, `path` any of its files, and `number` counts the volumes of a run from
    1: files are named by it, for `name` may name a patient. `volume` tells which of several in its file it
    is, as in Row.
    `slices` counts those that show enough of the head; `judged`, `flagged` and `unfit` how many of them were
    so. `highest` is the highest score of a slice, `score` the mean of the three highest, None where no slice
    was judged; `p_value` is the share of healthy volumes whose `score` is as high, None where not known.
    `healthy_volumes` is how many that rests on. `threshold` is the score above which a slice is flagged.
    `look_at` are the indices of the slices with the highest scores, the highest first, and `top` their
    findings, with maps where there is a `heat`; `slice_findings` are all slices in order.
    `heat` is float32 (I, J, K) on the volume's own grid, in the detector's units, 0 where nothing was judged.
    `labels` is uint16 (I, J, K): k inside the k-th of the `regions`, 0 elsewhere. Both are None where maps
    were not asked for, or the volume could not be read.
    `affine` is float64 (4, 4), from voxel index to mm towards right, anterior and superior.
    `notes` tell what was odd about the file; `error` why it, or the first slice of those, was not judged.
    """

    name: str
    path: Path
    number: int
    plane: str | None
    slices: int
    judged: int
    flagged: int
    unfit: int
    highest: float | None
    score: float | None
    p_value: float | None
    threshold: float
    look_at: tuple[int, ...] = ()
    slice_findings: tuple[SliceFinding, ...] = ()
    top: tuple[Finding, ...] = field(default=(), repr=False)
    heat: Heat | None = field(default=None, repr=False)
    labels: Labels | None = field(default=None, repr=False)
    regions: tuple[VolumeRegion, ...] = ()
    affine: NDArray[np.float64] | None = None
    sequence: str | None = None
    healthy_volumes: int | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None
    volume: str | None = None

    @property
    def look_at_names(self) -> tuple[str, ...]:
        """The short names of the slices to look at first."""
        names = {one.index: one.name for one in self.slice_findings}
        return tuple(names[index] for index in self.look_at)


@dataclass(frozen=True)
class Maker:
    """The Screener that findings come from, for results that travel without it.

    `name` is what the user calls it (the stem of its file, or the name of one that comes with Atypia),
    `sha256` the hash of its file in hexadecimal, None where it was never saved. `detector` is the kind,
    `version` the one of Atypia that judged. `rule` says in words what its threshold promises.
    `heat_scale` is up to where pictures leave the scan clear, and from where they glow in full.
    """

    name: str
    detector: str
    version: str
    heat_scale: tuple[float, float]
    sha256: str | None = None
    rule: str = ""
