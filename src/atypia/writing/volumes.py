"""What was found in whole volumes: a row for each, its map on its own grid, and its most unusual slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.reading.volume import Grid
from atypia.reading.volumes import is_volume, open_volume
from atypia.scan import Finding
from atypia.screener.origin import how_taken
from atypia.threshold import HIGHEST, Threshold, volume_p_value, volume_score
from atypia.writing.heatmap import write_heatmap
from atypia.writing.nifti import write_nifti
from atypia.writing.rows import Columns, RowsWriter, printable, printable_or_none

_COLUMNS: Columns = {
    "volume": str,
    "slices": int,
    "judged": int,
    "flagged": int,
    "unfit": int,
    "highest": float,
    "score": float,
    "p_value": float,
    "look_at": str,
    "map": str,
    "notes": str,
    "error": str,
}


@dataclass
class _Seen:
    """What came of one volume so far: `top` holds the judged slices with the highest scores."""

    row: Row
    number: int
    grid: Grid | None
    slices: int = 0
    flagged: int = 0
    unfit: int = 0
    scores: list[float] = field(default_factory=list)
    top: list[tuple[Row, Finding]] = field(default_factory=list)
    error: str | None = None


class VolumesWriter(RowsWriter):
    """Writes a row for each volume among the scans, whose slices must come one after another.

    The columns are volume, slices (those looked at), judged, flagged and unfit (how many of them), highest
    (score of a slice), score (mean of the three highest), p_value (of that score among the healthy volumes of
    `threshold`, given where its groups are patients), look_at (the three slices with the highest scores),
    map, notes and error.
    With `heatmaps`, a folder, it also writes there the map of each volume on the volume's own grid, 0 where
    no slice was judged, and a picture of each of the slices to look at; files are numbered, not named.
    All else is as in RowsWriter. `count` is the number of volumes so far.
    """

    def __init__(
        self, path: Path, threshold: Threshold | None, heatmaps: Path | None, scale: tuple[float, float]
    ) -> None:
        super().__init__(path, _COLUMNS)
        self.count = 0
        self._threshold, self._heatmaps, self._scale = threshold, heatmaps, scale
        self._now: _Seen | None = None

    def write(self, row: Row, finding: Finding) -> None:
        """Add what was found of one scan; of a picture, nothing. Raises OutputError."""
        if self._now is not None and (_volume(row), row.plane) != (
            _volume(self._now.row),
            self._now.row.plane,
        ):
            self.finish()
        if row.slice is None and not is_volume(row.path):
            return
        if self._now is None:
            self.count += 1
            # A volume that could not be parted into slices could not be read either.
            drawn = self._heatmaps is not None and row.slice is not None
            self._now = _Seen(row, self.count, open_volume(row.path).empty() if drawn else None)
        self._add(self._now, row, finding)

    def finish(self) -> None:
        """Write the row, and the map and pictures, of the volume whose slices came last; then begin anew."""
        seen, self._now = self._now, None
        if seen is None:
            return
        written = None
        if self._heatmaps is not None and seen.grid is not None:
            written = self._heatmaps / f"volume-{seen.number:04}.nii.gz"
            self._draw(seen, seen.grid, written)
        self.write_row(self._values(seen, written))

    def _draw(self, seen: _Seen, grid: Grid, place: Path) -> None:
        affine = open_volume(seen.row.path).affine
        write_nifti(grid, affine, place, name="heat map", window=self._scale)
        for row, finding in seen.top:
            picture = place.with_name(f"volume-{seen.number:04}-{_slice(row)}.png")
            write_heatmap(finding, read_row(row).pixels, picture, scale=self._scale)

    def _add(self, seen: _Seen, row: Row, finding: Finding) -> None:
        seen.error = seen.error or finding.error
        if row.slice is None or row.plane is None:
            return
        seen.slices += 1
        seen.unfit += finding.unfit is not None
        if finding.flagged is None:
            return
        if seen.grid is not None and finding.heatmap is not None:
            open_volume(row.path).place(seen.grid, row.plane, row.slice, finding.heatmap)
        seen.flagged += finding.flagged
        seen.scores.append(finding.score)
        seen.top = sorted([*seen.top, (row, finding)], key=lambda one: -one[1].score)[:HIGHEST]

    def _values(self, seen: _Seen, written: Path | None) -> tuple[str | float | int | None, ...]:
        score = volume_score(seen.scores) if seen.scores else None
        notes = () if seen.row.slice is None else open_volume(seen.row.path).notes
        return (
            printable(_volume(seen.row)),
            seen.slices,
            len(seen.scores),
            seen.flagged,
            seen.unfit,
            max(seen.scores, default=None),
            score,
            None if score is None else self._p_value(seen.row, score),
            " ".join(_slice(row) for row, _ in seen.top),
            None if written is None else f"{written.parent.name}/{written.name}",
            "; ".join(notes) or None,
            printable_or_none(seen.error),
        )

    def _p_value(self, row: Row, score: float) -> float | None:
        if self._threshold is None:
            return None
        threshold, _ = self._threshold.for_scan(how_taken(row))
        return volume_p_value(threshold.calibration, score)


def _volume(row: Row) -> str:
    """Return the name of the volume that a row is of, or is."""
    return row.name if row.slice is None else row.name.rpartition(":")[0]


def _slice(row: Row) -> str:
    """Return the short name of a slice."""
    return row.name.rpartition(":")[2]
