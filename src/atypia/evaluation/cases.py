"""A few scans kept to be looked at: the worst, the best, and some drawn blindly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from atypia.errors import UnreadableScan
from atypia.reading.collection import Row
from atypia.reading.rows import read_row, read_row_mask
from atypia.scan import Finding, Image, Mask

KEEP = 4
LONGEST_SIDE = 320

Map = TypeVar("Map", Image, Mask)


@dataclass(frozen=True, eq=False)
class Case:
    """One judged scan with its pictures, made smaller by whole factors to at most 320 pixels a side.

    `regions` is where the map was found unlike healthy scans.
    `scan`, `heatmap`, `mask` and `regions` are (h, w), one grid; None where there is none or it could not be
    read.
    `prepared` and `reconstruction` are (S, S), as the detector saw the scan and expected it.
    """

    name: str
    kind: str | None
    abnormal: bool
    score: float
    p_value: float
    flagged: bool
    scan: Image | None = None
    heatmap: Image | None = None
    mask: Mask | None = None
    prepared: Image | None = None
    reconstruction: Image | None = None
    regions: Mask | None = None


@dataclass(frozen=True, eq=False)
class Cases:
    """At most four scans of each sort, the most telling first; none is both best and worst.

    The drawn ones are those whose names hash lowest: chosen by nothing that the detector said of them.
    """

    highest_normal: tuple[Case, ...] = ()
    lowest_abnormal: tuple[Case, ...] = ()
    lowest_normal: tuple[Case, ...] = ()
    highest_abnormal: tuple[Case, ...] = ()
    drawn_normal: tuple[Case, ...] = ()
    drawn_abnormal: tuple[Case, ...] = ()

    def all(self) -> tuple[Case, ...]:
        """Return every case of every sort."""
        worst, best = self.highest_normal + self.lowest_abnormal, self.lowest_normal + self.highest_abnormal
        return worst + best + self.drawn_normal + self.drawn_abnormal


class CaseKeeper:
    """Sees every finding once and keeps few, so that memory does not grow with their number."""

    def __init__(self, keep: int = KEEP) -> None:
        self._lists = {(label, sort): _Shortlist(keep) for label in (False, True) for sort in _RANKS}

    def offer(self, row: Row, finding: Finding, *, abnormal: bool) -> None:
        """Keep this finding wherever it is among the first."""
        for sort, rank in _RANKS.items():
            self._lists[abnormal, sort].offer(rank(finding), row, finding)

    def cases(self) -> Cases:
        """Return what was kept, with the pictures read from disk; one that cannot be read is left out."""
        opened = {
            (abnormal, sort): tuple(_open(row, finding, abnormal) for row, finding in shortlist.entries)
            for (abnormal, sort), shortlist in self._lists.items()
        }
        return Cases(
            highest_normal=opened[False, "highest"],
            lowest_abnormal=opened[True, "lowest"],
            lowest_normal=_without(opened[False, "lowest"], opened[False, "highest"]),
            highest_abnormal=_without(opened[True, "highest"], opened[True, "lowest"]),
            drawn_normal=opened[False, "drawn"],
            drawn_abnormal=opened[True, "drawn"],
        )


class _Shortlist:
    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._ranked: list[tuple[float, str, Row, Finding]] = []

    def offer(self, rank: float, row: Row, finding: Finding) -> None:
        place = (rank, finding.name)
        if len(self._ranked) == self._keep and place >= self._ranked[-1][:2]:
            return
        self._ranked.append((*place, row, _smaller(finding)))
        self._ranked.sort(key=lambda entry: entry[:2])
        del self._ranked[self._keep :]

    @property
    def entries(self) -> list[tuple[Row, Finding]]:
        return [entry[2:] for entry in self._ranked]


def _drawn(finding: Finding) -> float:
    name = finding.name.encode("utf-8", "surrogatepass")
    return float(int.from_bytes(sha256(name).digest()[:6], "big"))


_RANKS = {"highest": lambda finding: -finding.score, "lowest": lambda finding: finding.score, "drawn": _drawn}


def _smaller(finding: Finding) -> Finding:
    heatmap, regions = finding.heatmap, finding.region_map
    return replace(
        finding,
        heatmap=None if heatmap is None else _shrunk(heatmap),
        region_map=None if regions is None else _whether(regions),
    )


def _whether(regions: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (_shrunk((regions > 0).astype(np.float32)) > 0.5).astype(np.uint8)


def _shrunk(pixels: NDArray[np.float32]) -> Image:
    factor = -(-max(pixels.shape) // LONGEST_SIDE)
    picture = Pictures.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    return np.array(picture.reduce(factor) if factor > 1 else picture, dtype=np.float32)


def _open(row: Row, finding: Finding, abnormal: bool) -> Case:
    scan, mask = _scan(row), _mask(row) if abnormal else None
    grid = finding.heatmap if scan is None else scan
    return Case(
        name=finding.name,
        kind=row.kind,
        abnormal=abnormal,
        score=finding.score,
        p_value=finding.p_value,
        flagged=bool(finding.flagged),
        scan=scan,
        heatmap=_on_grid(finding.heatmap, grid),
        mask=_on_grid(mask, grid),
        prepared=finding.prepared,
        reconstruction=finding.reconstruction,
        regions=None if finding.region_map is None else _on_grid(finding.region_map > 0, grid),
    )


def _scan(row: Row) -> Image | None:
    try:
        return _shrunk(read_row(row).pixels)
    except UnreadableScan:
        return None


def _mask(row: Row) -> Mask | None:
    if row.mask is None:
        return None
    try:
        return _shrunk(read_row_mask(row).astype(np.float32)) > 0.25
    except UnreadableScan:
        return None


def _on_grid(pixels: Map | None, grid: Image | None) -> Map | None:
    return pixels if pixels is not None and grid is not None and pixels.shape == grid.shape else None


def _without(cases: tuple[Case, ...], others: tuple[Case, ...]) -> tuple[Case, ...]:
    taken = {case.name for case in others}
    return tuple(case for case in cases if case.name not in taken)
