"""Findings as a table on disk, written while they come."""

from __future__ import annotations

from pathlib import Path

from atypia.scan import Finding
from atypia.writing.rows import ROWS_AT_ONCE, Columns, RowsWriter, number, printable, printable_or_none

__all__ = ["ROWS_AT_ONCE", "FindingsWriter"]

_COLUMNS: Columns = {
    "name": str,
    "verdict": str,
    "score": float,
    "p_value": float,
    "threshold": float,
    "flagged": bool,
    "error": str,
    "stratum": str,
    "unfit": str,
    "regions": int,
}


class FindingsWriter(RowsWriter):
    """Writes findings one by one to a `.csv`, `.jsonl` or `.parquet` file, which appears when it is closed.

    The columns are name, verdict, score, p_value, threshold, flagged, error,
    stratum, unfit and regions (their number); a number that is missing is
    an empty cell or null. All else is as in RowsWriter.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _COLUMNS)

    def write(self, finding: Finding) -> None:
        """Add one finding; raise OutputError where there is no room for it."""
        self.write_row(
            (
                printable(finding.name),
                finding.verdict,
                number(finding.score),
                number(finding.p_value),
                number(finding.threshold),
                finding.flagged,
                printable_or_none(finding.error),
                printable_or_none(finding.stratum),
                printable_or_none(finding.unfit),
                len(finding.regions),
            )
        )
