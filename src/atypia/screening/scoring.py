"""Judging many scans into a folder: findings, their regions and, where asked, a picture of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.reading.rows import read_row
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screening.making import maker_of
from atypia.screening.of_volumes import VolumesToFolder, has_volumes
from atypia.screening.results import results_of
from atypia.volume_finding import Maker
from atypia.writing.heatmap import write_heatmap
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter


@dataclass(frozen=True)
class Tally:
    """What came of a folder of scans, and where its tables are; `judged` counts neither other kind.

    `folders` are those with results of volumes. `left_out` says, by the kind of a result that was asked for,
    why it was not made of some scan.
    """

    judged: int
    flagged: int
    unreadable: int
    table: Path
    regions: int = 0
    regions_table: Path | None = None
    unfit: int = 0
    volumes: int = 0
    volumes_table: Path | None = None
    volume_regions: int = 0
    volume_regions_table: Path | None = None
    folders: tuple[Path, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


def score_to_folder(
    screener: Screener,
    scans: Collection,
    out: Path,
    kind: str = "csv",
    heatmaps: bool = False,
    judge_all: bool = False,
    results: Sequence[str] = (),
    maker: Maker | None = None,
    keep_identifiers: bool = False,
) -> Tally:
    """Write findings, regions and, where asked, pictures below `out`; raise OutputError.

    They are `findings.KIND`, `regions.KIND` and `heatmaps/NAME.png`; where there are volumes, also
    `volumes.KIND` and `volume_regions.KIND`, with `heatmaps` for each `heatmaps/volume-NUMBER.nii.gz`, its
    mask and pictures of a few slices, and those `results` that are named, out of RESULTS.
    A scan that cannot be read or judged is one row with its error; the others go on. With `judge_all` a
    scan that was not taken like those learned from is judged as well. `maker` says in the results which
    Screener this is. With `keep_identifiers` the table of volumes names patient, study and series of DICOM,
    which else stand in DICOM results alone. Raises BadOption for a result that is not known, MissingExtra
    where one cannot be made.
    """
    kinds = results_of([*results, *(["nifti"] if heatmaps else [])])
    table, regions_table = out / f"findings.{kind}", out / f"regions.{kind}"
    judged = flagged = unreadable = unfit = regions = 0
    scale, of_volumes = screener.heat_scale, has_volumes(scans)
    findings = screener.score(scans, heatmaps=heatmaps or of_volumes, judge_all=judge_all)
    found = progress(findings, total=len(scans), label="scoring")
    with ExitStack() as stack:
        writer = stack.enter_context(FindingsWriter(table))
        places = stack.enter_context(RegionsWriter(regions_table))
        volumes = None
        if of_volumes:
            volumes = stack.enter_context(
                VolumesToFolder(
                    screener,
                    maker or maker_of(screener),
                    out,
                    kind,
                    kinds,
                    pictures=heatmaps,
                    keep_identifiers=keep_identifiers,
                )
            )
        for row, finding in zip(scans, found, strict=True):
            writer.write(finding)
            places.write(finding)
            if volumes is not None:
                volumes.add(row, finding)
            regions += len(finding.regions)
            judged += finding.flagged is not None
            unfit += finding.unfit is not None
            flagged += finding.flagged is True
            unreadable += finding.error is not None
            if heatmaps and finding.error is None and row.slice is None:
                _draw(row, finding, out / "heatmaps", scale)
        if volumes is not None:
            volumes.finish()
    tally = Tally(judged, flagged, unreadable, table, regions, regions_table, unfit)
    if volumes is None:
        return replace(tally, left_out=dict.fromkeys(results, "it is made of volumes, and there are none"))
    return replace(
        tally,
        volumes=volumes.count,
        volumes_table=volumes.table,
        volume_regions=volumes.regions,
        volume_regions_table=volumes.regions_table,
        folders=tuple(sorted(volumes.folders)),
        left_out=volumes.left_out,
    )


def _draw(row: Row, finding: Finding, folder: Path, scale: tuple[float, float]) -> None:
    pixels = read_row(row).pixels
    write_heatmap(finding, pixels, folder / f"{_file_name(row.name)}.png", scale=scale)


def _file_name(name: str) -> str:
    """Return a name that is one file's, differs for different scans and holds nothing odd."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
