"""Judging many scans into a folder: findings, their regions and, where asked, a picture of each."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.reading.rows import read_row
from atypia.reading.volumes import is_volume
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.writing.heatmap import write_heatmap
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter
from atypia.writing.volumes import VolumesWriter


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
    volumes: int = 0
    volumes_table: Path | None = None


def score_to_folder(
    screener: Screener,
    scans: Collection,
    out: Path,
    kind: str = "csv",
    heatmaps: bool = False,
    judge_all: bool = False,
) -> Tally:
    """Write findings, regions and, where asked, pictures below `out`; raise OutputError.

    They are `findings.KIND`, `regions.KIND` and `heatmaps/NAME.png`; where there are volumes, also
    `volumes.KIND`, and for each `heatmaps/volume-NUMBER.nii.gz` and pictures of a few slices.
    A scan that cannot be read or judged is one row with its error; the others go on. With `judge_all` a
    scan that was not taken like those learned from is judged as well.
    """
    table, regions_table = out / f"findings.{kind}", out / f"regions.{kind}"
    judged = flagged = unreadable = unfit = regions = 0
    scale = screener.heat_scale
    findings = screener.score(scans, heatmaps=heatmaps, judge_all=judge_all)
    found = progress(findings, total=len(scans), label="scoring")
    with ExitStack() as stack:
        writer = stack.enter_context(FindingsWriter(table))
        places = stack.enter_context(RegionsWriter(regions_table))
        volumes = _volumes_writer(screener, scans, out, kind, heatmaps, stack)
        for row, finding in zip(scans, found, strict=True):
            writer.write(finding)
            places.write(finding)
            if volumes is not None:
                volumes.write(row, finding)
            regions += len(finding.regions)
            judged += finding.flagged is not None
            unfit += finding.unfit is not None
            flagged += finding.flagged is True
            unreadable += finding.error is not None
            if heatmaps and finding.error is None and row.slice is None:
                _draw(row, finding, out / "heatmaps", scale)
        if volumes is None:
            return Tally(judged, flagged, unreadable, table, regions, regions_table, unfit)
        volumes.finish()
    return Tally(
        judged, flagged, unreadable, table, regions, regions_table, unfit, volumes.count, volumes.path
    )


def _volumes_writer(
    screener: Screener, scans: Collection, out: Path, kind: str, heatmaps: bool, stack: ExitStack
) -> VolumesWriter | None:
    """Return what writes of whole volumes, to be closed with the stack; None where there is no volume."""
    if not any(row.slice is not None or is_volume(row.path) for row in scans):
        return None
    # Only where groups are patients can a volume be compared with healthy ones.
    threshold = screener.threshold_ if screener.provenance.get("grouped") else None
    folder = out / "heatmaps" if heatmaps else None
    return stack.enter_context(VolumesWriter(out / f"volumes.{kind}", threshold, folder, screener.heat_scale))


def _draw(row: Row, finding: Finding, folder: Path, scale: tuple[float, float]) -> None:
    pixels = read_row(row).pixels
    write_heatmap(finding, pixels, folder / f"{_file_name(row.name)}.png", scale=scale)


def _file_name(name: str) -> str:
    """Return a name that is one file's, differs for different scans and holds nothing odd."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
