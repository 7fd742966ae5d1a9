"""Judging many scans into a folder: the table of findings and, where asked, a picture of each."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.reading.picture import read_picture
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.writing.heatmap import write_heatmap
from atypia.writing.table import FindingsWriter


@dataclass(frozen=True)
class Tally:
    """What came of a folder of scans, and where its table is."""

    judged: int
    flagged: int
    unreadable: int
    table: Path


def score_to_folder(
    screener: Screener, scans: Collection, out: Path, kind: str = "csv", heatmaps: bool = False
) -> Tally:
    """Write `out/findings.KIND` and, where asked, `out/heatmaps/NAME.png`; raise OutputError.

    A scan that cannot be read or judged is one row with its error; the others go on.
    """
    table = out / f"findings.{kind}"
    judged = flagged = unreadable = 0
    scale = screener.heat_scale
    found = progress(screener.score(scans, heatmaps=heatmaps), total=len(scans), label="scoring")
    with FindingsWriter(table) as writer:
        for row, finding in zip(scans, found, strict=True):
            writer.write(finding)
            judged += finding.error is None
            flagged += finding.flagged is True
            unreadable += finding.error is not None
            if heatmaps and finding.error is None:
                _draw(row, finding, out / "heatmaps", scale)
    return Tally(judged, flagged, unreadable, table)


def _draw(row: Row, finding: Finding, folder: Path, scale: tuple[float, float]) -> None:
    pixels = read_picture(row.path, name=row.name).pixels
    write_heatmap(finding, pixels, folder / f"{_file_name(row.name)}.png", scale=scale)


def _file_name(name: str) -> str:
    """Return a name that is one file's, differs for different scans and holds nothing odd."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
