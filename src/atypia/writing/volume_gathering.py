"""From the findings of slices, one after another, to what was found of the volumes that they are of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.reading.planes import not_cut
from atypia.reading.row import Row
from atypia.reading.volume import PLANES, Grid, Volume
from atypia.reading.volumes import is_volume, open_volume
from atypia.scan import Finding
from atypia.screener.origin import how_taken
from atypia.threshold import HIGHEST, Threshold, volume_p_value, volume_score
from atypia.volume_finding import Labels, SliceFinding, VolumeFinding, VolumeRegion
from atypia.writing.volume_regions import Marked, find_volume_regions


@dataclass
class _Seen:
    """What came of one volume so far: `top` holds the judged slices with the highest scores."""

    row: Row
    number: int
    threshold: float
    volume: Volume | None
    heat: Grid | None
    marks: NDArray[np.uint8] | None
    slices: list[SliceFinding] = field(default_factory=list)
    top: list[tuple[int, Finding]] = field(default_factory=list)
    p_values: dict[int, tuple[float, ...]] = field(default_factory=dict)
    unfit: int = 0
    error: str | None = None


class VolumeGathering:
    """Gathers the findings of volumes, whose slices must come one after another; `count` are those so far.

    `threshold` is that of a Screener whose groups are patients: then a volume has a p-value. With `maps` the
    findings must have heat maps, and the volumes have theirs, on their own grids, and regions. At most the
    maps of one volume are held. `planes` are those that the Screener knows: notes tell of those that a volume
    is too coarse to be cut in. `before` is the number of volumes before the first.
    """

    def __init__(
        self, threshold: Threshold | None, *, maps: bool, planes: Sequence[str] = (), before: int = 0
    ) -> None:
        self.count = before
        self._threshold, self._maps, self._planes = threshold, maps, planes
        self._now: _Seen | None = None

    def add(self, row: Row, finding: Finding) -> VolumeFinding | None:
        """Add what was found of one scan; return the volume before, where the scan is none of its slices."""
        done, volume_here = None, volume_of(row)
        if self._now is not None and volume_here != volume_of(self._now.row):
            done = self.finish()
        if volume_here is None:
            return done
        if self._now is None:
            self.count += 1
            volume = _opened(row)
            shape = volume.pixels.shape if self._maps and volume is not None else None
            self._now = _Seen(
                row,
                self.count,
                finding.threshold,
                volume,
                # In the order of NIfTI files, whose slices mostly lie across the last axis.
                None if shape is None else np.zeros(shape, np.float32, order="F"),
                None if shape is None else np.zeros(shape, np.uint8, order="F"),
            )
        _add(self._now, row, finding)
        return done

    def finish(self) -> VolumeFinding | None:
        """Return the volume whose slices came last, and begin anew; None where there is none."""
        seen, self._now = self._now, None
        return None if seen is None else self._found(seen)

    def _found(self, seen: _Seen) -> VolumeFinding:
        scores = [one.score for one in seen.slices if one.flagged is not None]
        score = volume_score(scores) if scores else None
        p_value, healthy = self._among_healthy(seen.row, score)
        volume = seen.volume
        regions: tuple[VolumeRegion, ...] = ()
        labels: Labels | None = None
        if volume is not None and seen.heat is not None and seen.marks is not None:
            names = {one.index: one.name for one in seen.slices}
            across = volume.axis_across(seen.row.plane or PLANES[0])
            regions, labels = find_volume_regions(
                Marked(seen.marks, across, seen.p_values, names), seen.heat, volume.affine
            )
        return VolumeFinding(
            name=_name(seen.row),
            path=seen.row.path,
            number=seen.number,
            plane=seen.row.plane,
            slices=len(seen.slices),
            judged=len(scores),
            flagged=sum(one.flagged is True for one in seen.slices),
            unfit=seen.unfit,
            highest=max(scores, default=None),
            score=score,
            p_value=p_value,
            threshold=seen.threshold,
            look_at=tuple(index for index, _ in seen.top),
            slice_findings=tuple(seen.slices),
            top=tuple(finding for _, finding in seen.top),
            heat=seen.heat,
            labels=labels,
            regions=regions,
            affine=None if volume is None else volume.affine,
            sequence=seen.row.sequence,
            healthy_volumes=healthy,
            notes=() if volume is None else (*volume.notes, *not_cut(volume, self._planes)),
            error=seen.error,
            volume=seen.row.volume,
        )

    def _among_healthy(self, row: Row, score: float | None) -> tuple[float | None, int | None]:
        """Return the p-value of a volume's score, and the number of healthy volumes that it rests on."""
        if self._threshold is None or score is None:
            return None, None
        calibration = self._threshold.for_scan(how_taken(row))[0].calibration
        least = volume_p_value(calibration, math.inf, row.plane)
        if least is None:
            return None, None
        return volume_p_value(calibration, score, row.plane), round(1 / least) - 1


def _add(seen: _Seen, row: Row, finding: Finding) -> None:
    seen.error = seen.error or finding.error
    if row.slice is None or row.plane is None:
        return
    seen.unfit += finding.unfit is not None
    judged = finding.flagged is not None
    seen.slices.append(
        SliceFinding(
            row.slice,
            row.name.rpartition(":")[2],
            finding.score if judged else math.nan,
            finding.p_value if judged else math.nan,
            finding.flagged,
        )
    )
    if not judged:
        return
    seen.top = sorted([*seen.top, (row.slice, finding)], key=lambda one: -one[1].score)[:HIGHEST]
    if seen.volume is None or seen.heat is None or seen.marks is None or finding.heatmap is None:
        return
    seen.volume.place(seen.heat, row.plane, row.slice, finding.heatmap)
    if finding.region_map is not None and finding.regions:
        seen.volume.place(seen.marks, row.plane, row.slice, finding.region_map)
        seen.p_values[row.slice] = tuple(region.p_value for region in finding.regions)


def _opened(row: Row) -> Volume | None:
    """Return the volume of a slice; None for one that could not be parted, or that is gone meanwhile."""
    if row.slice is None:
        return None
    try:
        return open_volume(row.path, row.strip, row.volume)
    except UnreadableScan:
        return None


def volume_of(row: Row) -> tuple[str, str | None] | None:
    """Return the name of the volume that a row is of, or is, and the plane that it is cut in.

    None where it is a picture. Rows that follow each other and have the same are of one volume.
    """
    if row.slice is None:
        return (row.name, None) if is_volume(row.path) else None
    return _name(row), row.plane


def _name(row: Row) -> str:
    return row.name if row.slice is None else row.name.rpartition(":")[0]
