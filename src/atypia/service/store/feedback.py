"""What readers say that scans really are: kept, and given back as a table for calibration and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from atypia.service.home import Home
from atypia.service.store import events
from atypia.service.store.models import Feedback, Finding
from atypia.writing.rows import Columns, RowsWriter, number, printable

TRUTH = {"healthy": "normal", "abnormal": "abnormal"}
"""From a label of feedback to one of a table of scans; a scan of which a reader is unsure is in none."""
COLUMNS: Columns = {
    "path": str,
    "label": str,
    "group": str,
    "plane": str,
    "sequence": str,
    "name": str,
    "finding": str,
    "score": float,
    "p_value": float,
    "note": str,
    "by": str,
    "said": str,
}
_AT_ONCE = 500


def give(session: Session, finding: Finding, label: str, note: str, by: str) -> Feedback:
    """Keep what a reader says; what the same reader said before of the finding is forgotten."""
    for earlier in [one for one in finding.feedback if one.by == by]:
        finding.feedback.remove(earlier)
    session.flush()
    row = Feedback(finding=finding.id, label=label, note=note, by=by)
    finding.feedback.append(row)
    session.flush()
    events.emit(session, "finding", finding.id, finding.job)
    return row


class FeedbackWriter(RowsWriter):
    """Writes the table, to a `.csv` or `.parquet` file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, COLUMNS)


def write_table(session: Session, home: Home, path: Path, screener: str | None = None) -> int:
    """Write what readers said as a table of scans, and return how many rows it has.

    `path` names the uploaded file by its content, below the data folder: give that as the root of the table.
    Each file has one row, with what was said last, of any of its findings. Left out are scans that readers
    are unsure of, and those that no one file holds, as DICOM series and members of archives.
    """
    rows = dict(_last_said(session, home, screener))
    with FeedbackWriter(path) as writer:
        for row in rows.values():
            if row[1] is not None:
                writer.write_row(row)
    return sum(row[1] is not None for row in rows.values())


def _last_said(session: Session, home: Home, screener: str | None) -> Iterator[tuple[str, tuple[Any, ...]]]:
    statement = (
        select(Feedback, Finding)
        .join(Finding, Finding.id == Feedback.finding)
        .order_by(Feedback.created, Feedback.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    if screener is not None:
        statement = statement.where(Finding.screener == screener)
    for said, finding in session.execute(statement):
        path = _path(home, finding)
        if path is not None:
            yield (
                path,
                (
                    path,
                    TRUTH.get(said.label),
                    finding.study,
                    finding.plane,
                    finding.sequence,
                    printable(finding.label),
                    finding.id,
                    number(finding.score),
                    number(finding.p_value),
                    printable(said.note),
                    printable(said.by),
                    said.created.isoformat(),
                ),
            )


def _path(home: Home, finding: Finding) -> str | None:
    """Return the path of the one file that a finding is of, below the data folder, or None."""
    source = finding.values.get("source") or {}
    if "sha256" in source:
        return str(home.upload(source["sha256"], source.get("suffix", "")).relative_to(home.path))
    if "path" in source and "root" in source:
        return str(Path(source["root"]) / source["path"])
    return None
