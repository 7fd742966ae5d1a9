"""What is written of a shard of scans: its tables and, where asked, a picture or more of each scan."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from atypia.errors import UnreadableScan
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screening.of_volumes import VolumesToFolder
from atypia.screening.results import RESULTS, Result
from atypia.screening.tally import NUMBERS, Counts
from atypia.volume_finding import Maker
from atypia.writing.heatmap import write_heatmap
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter

TABLES = ("findings", "regions", "volumes", "volume_regions")

WRITTEN = (
    *(f"{table}.*" for table in TABLES),
    "heatmaps/*.png",
    *(pattern for result in RESULTS.values() for pattern in result.files),
)
"""Patterns of all files that may ever be written, so that those of an earlier run can be removed."""


@dataclass(frozen=True)
class Asked:
    """What is to be written of each scan and volume, of what is found by which Screener."""

    screener: Screener
    maker: Maker
    results: Mapping[str, Result]
    heatmaps: bool
    judge_all: bool
    keep_identifiers: bool
    of_volumes: bool


def judge_shard(
    asked: Asked, rows: Sequence[Row], folder: Path, kind: str, *, before: int, ticks: Iterator[int]
) -> Counts:
    """Judge rows, write all that is asked for below `folder`, tables of this kind, and return the counts.

    `before` is the number of volumes before them; of `ticks` one is taken for each row. Raises OutputError.
    """
    numbers, left_out = dict.fromkeys(NUMBERS, 0), dict[str, str]()
    maps = asked.heatmaps or asked.of_volumes
    found = asked.screener.score(rows, heatmaps=maps, judge_all=asked.judge_all)
    with ExitStack() as stack:
        writer = stack.enter_context(FindingsWriter(folder / f"findings.{kind}"))
        places = stack.enter_context(RegionsWriter(folder / f"regions.{kind}"))
        volumes = None
        if asked.of_volumes:
            volumes = stack.enter_context(_volumes(asked, folder, kind, before))
        for row, finding in zip(rows, found, strict=True):
            writer.write(finding)
            places.write(finding)
            if volumes is not None:
                volumes.add(row, finding)
            for name, count in _counted(finding).items():
                numbers[name] += count
            if asked.heatmaps and finding.error is None and row.slice is None:
                left_out |= _draw(row, finding, folder / "heatmaps", asked.maker.heat_scale)
            next(ticks, None)
        if volumes is None:
            return Counts(numbers, left_out=left_out)
        volumes.finish()
    numbers |= {"volumes": volumes.count - before, "volume_regions": volumes.regions}
    folders = tuple(sorted(path.relative_to(folder).as_posix() for path in volumes.folders))
    return Counts(numbers, folders, left_out | volumes.left_out)


def _volumes(asked: Asked, folder: Path, kind: str, before: int) -> VolumesToFolder:
    return VolumesToFolder(
        asked.screener,
        asked.maker,
        folder,
        kind,
        asked.results,
        pictures=asked.heatmaps,
        keep_identifiers=asked.keep_identifiers,
        before=before,
    )


def _counted(finding: Finding) -> dict[str, int]:
    return {
        "judged": finding.flagged is not None,
        "flagged": finding.flagged is True,
        "unreadable": finding.error is not None,
        "unfit": finding.unfit is not None,
        "regions": len(finding.regions),
    }


def _draw(row: Row, finding: Finding, folder: Path, scale: tuple[float, float]) -> dict[str, str]:
    """Write a picture of the map, and return why not where its scan cannot be read any more."""
    try:
        pixels = read_row(row).pixels
        write_heatmap(finding, pixels, folder / f"{_file_name(row.name)}.png", scale=scale)
    except UnreadableScan as error:
        return {"pictures": error.brief}
    return {}


def _file_name(name: str) -> str:
    """Return a name that is one file's, differs for different scans and holds nothing odd."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80]
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
