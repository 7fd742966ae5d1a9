"""Judging many scans into a folder: findings, their regions and, where asked, a picture of each."""

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
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter


@dataclass(frozen=True)
class Tally:
    """What came of a folder of scans, and where its tables are; `judged` counts neither other kind."""

    judged: int
    flagged: int
    unreadable: int
    table: Path
    regions: int = 0
    regions_table: Path | None = None
    unfit: int = 0


def score_to_folder(
    screener: Screener,
    scans: Collection,
    out: Path,
    kind: str = "csv",
    heatmaps: bool = False,
    judge_all: bool = False,
) -> Tally:
    """Write findings, regions and, where asked, pictures below `out`; raise OutputError.

    They are `findings.KIND`, `regions.KIND` and `heatmaps/NAME.png`.
    A scan that cannot be read or judged is one row with its error; the others go on. With `judge_all` a
    scan that was not taken like those learned from is judged as well.
    """
    table, regions_table = out / f"findings.{kind}", out / f"regions.{kind}"
    judged = flagged = unreadable = unfit = regions = 0
    scale = screener.heat_scale
    findings = screener.score(scans, heatmaps=heatmaps, judge_all=judge_all)
    found = progress(findings, total=len(scans), label="scoring")
    with FindingsWriter(table) as writer, RegionsWriter(regions_table) as places:
        for row, finding in zip(scans, found, strict=True):
            writer.write(finding)
            places.write(finding)
            regions += len(finding.regions)
            judged += finding.flagged is not None
            unfit += finding.unfit is not None
            flagged += finding.flagged is True
            unreadable += finding.error is not None
            if heatmaps and finding.error is None:
                _draw(row, finding, out / "heatmaps", scale)
    return Tally(judged, flagged, unreadable, table, regions, regions_table, unfit)


def _draw(row: Row, finding: Finding, folder: Path, scale: tuple[float, float]) -> None:
    pixels = read_picture(row.path, name=row.name).pixels
    write_heatmap(finding, pixels, folder / f"{_file_name(row.name)}.png", scale=scale)


def _file_name(name: str) -> str:
    """Return a name that is one file's, differs for different scans and holds nothing odd."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
