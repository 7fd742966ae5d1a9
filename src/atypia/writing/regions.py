"""The regions of findings as a table on disk, written while they come."""

from __future__ import annotations

from pathlib import Path

from atypia.scan import Finding
from atypia.writing.rows import Columns, RowsWriter, number, printable

_COLUMNS: Columns = {
    "scan": str,
    "rank": int,
    "area": int,
    "area_mm2": float,
    "peak": float,
    "mean": float,
    "p_value": float,
    "centre_row": float,
    "centre_column": float,
    "top": int,
    "left": int,
    "bottom": int,
    "right": int,
}


class RegionsWriter(RowsWriter):
    """Writes the regions of findings, a row for each, to a `.csv`, `.jsonl` or `.parquet` file.

    The columns are scan (its name among the findings), rank (1 is the most striking region of that scan),
    area in pixels, area_mm2 where the size of a pixel is known, peak and mean of the map inside it,
    p_value, centre_row, centre_column, and the box top, left, bottom, right, the last two exclusive.
    All else is as in RowsWriter.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _COLUMNS)

    def write(self, finding: Finding) -> None:
        """Add the regions of one finding, none or more; raise OutputError where there is no room for them."""
        for rank, region in enumerate(finding.regions, start=1):
            about = (region.area, number(region.area_mm2), number(region.peak), number(region.mean))
            place = (*region.centre, *region.box)
            self.write_row((printable(finding.name), rank, *about, region.p_value, *place))
