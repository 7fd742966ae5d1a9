"""All scalars of one scan, and of many in threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.in_order import in_order
from atypia.preparation import Preparation, Prepared
from atypia.preparation.foreground import find_foreground
from atypia.preparation.intensity import full_scale
from atypia.progress import progress
from atypia.reading.header import read_header
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.scalars.catalogue import SCALARS
from atypia.scalars.file import file_scalars, size_scalars
from atypia.scalars.frame import OUTSIDE_SIDE, frame_scalars, outside_thumbnail
from atypia.scalars.intensity import intensity_scalars
from atypia.scan import Scan

_PREPARATION = Preparation(size=112, upright=False)
_AHEAD = 48


@dataclass(frozen=True, eq=False)
class Measured:
    """The scalars of N scans: `values` float64 (N, K) in the order of `names`; NaN where undefined.

    `errors` has, by the scan's place, why one could not be read; all its values are NaN.
    `outside` uint8 (N, 32, 32) shows, where asked for, each scan with the head painted over (255).
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    errors: dict[int, str] = field(default_factory=dict)
    outside: NDArray[np.uint8] | None = None

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one scalar of all scans, (N,); raise KeyError for an unknown name."""
        if name not in self.names:
            raise KeyError(name)
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True, eq=False)
class _Look:
    """What is seen of one scan."""

    scalars: dict[str, float]
    outside: NDArray[np.uint8]


def measure_row(row: Row) -> dict[str, float]:
    """Return the scalars of one scan by name; NaN where one is undefined, as the JPEG quality of a PNG is.

    Raises UnreadableScan where the file is no picture that can be read.
    """
    return _look(row).scalars


def measure_rows(rows: Sequence[Row], *, workers: int = 2, outside: bool = False) -> Measured:
    """Measure many scans in threads, with a bar; a scan that cannot be read costs its own row alone.

    With `outside` the thumbnails around the heads are kept as well, a kilobyte each.
    """
    names = tuple(SCALARS)
    values = np.full((len(rows), len(names)), np.nan)
    around = np.zeros((len(rows), OUTSIDE_SIDE, OUTSIDE_SIDE), np.uint8) if outside else None
    errors: dict[int, str] = {}
    looks = in_order(_tried, rows, workers=workers, ahead=_AHEAD)
    for place, look in enumerate(progress(looks, total=len(rows), label="measuring")):
        if isinstance(look, UnreadableScan):
            errors[place] = look.brief
            continue
        values[place] = [look.scalars[name] for name in names]
        if around is not None:
            around[place] = look.outside
    return Measured(names, values, errors, around)


def _tried(row: Row) -> _Look | UnreadableScan:
    try:
        return _look(row)
    except UnreadableScan as error:
        return error


def _look(row: Row) -> _Look:
    scan = read_row(row)
    shares = (scan.pixels / np.float32(full_scale(scan.pixels)[1] or 1)).astype(np.float32)
    head = find_foreground(scan.pixels)
    # The file of a slice is that of its whole volume, and tells nothing of the slice.
    shape = scan.pixels.shape
    scalars = (
        file_scalars(row.path, shape, read_header(row.path)) if row.slice is None else size_scalars(shape)
    )
    scalars |= frame_scalars(shares, head)
    scalars |= intensity_scalars(shares, head, _prepared(scan))
    return _Look({name: scalars.get(name, math.nan) for name in SCALARS}, outside_thumbnail(shares, head))


def _prepared(scan: Scan) -> Prepared | None:
    try:
        return _PREPARATION(scan)
    except UnreadableScan:
        return None
