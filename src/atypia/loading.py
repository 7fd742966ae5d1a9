"""Reads and prepares many scans in threads, in order, with bounded memory; a bad scan becomes its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from atypia.detectors import Batch
from atypia.errors import UnreadableScan
from atypia.in_order import in_order
from atypia.preparation import Preparation, Prepared
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.scan import Scan

WORKERS = 2
AHEAD = 48


@dataclass(frozen=True, eq=False)
class Loaded:
    """One scan with what came of it: prepared, or the error that reading or preparing it gave.

    `source` is what was given: the row or the scan in memory, with its group and strata.
    `spacing` is the size of its pixels in mm, and `position` its place along the head, where known.
    """

    name: str
    source: Row | Scan
    prepared: Prepared | None = None
    error: UnreadableScan | None = None
    spacing: tuple[float, ...] | None = None
    position: float | None = None


def load(items: Iterable[Row | Scan], preparation: Preparation, workers: int = WORKERS) -> Iterator[Loaded]:
    """Yield every row, or scan in memory, read and prepared, in order; at most AHEAD are under way."""
    return in_order(lambda item: _load(item, preparation), items, workers=workers, ahead=AHEAD)


def in_batches(loaded: Iterable[Loaded], size: int) -> Iterator[tuple[list[Loaded], Batch | None]]:
    """Gather `size` at a time; the Batch holds, in order, those that could be prepared."""
    part: list[Loaded] = []
    for item in loaded:
        part.append(item)
        if len(part) == size:
            yield part, to_batch(part)
            part = []
    if part:
        yield part, to_batch(part)


def to_batch(loaded: Sequence[Loaded]) -> Batch | None:
    """Stack the prepared ones of these; None where there are none."""
    good = [item.prepared for item in loaded if item.prepared is not None]
    if not good:
        return None
    return Batch(
        np.stack([p.pixels for p in good]),
        np.stack([p.foreground for p in good]),
        np.stack([p.interior for p in good]),
    )


def _load(item: Row | Scan, preparation: Preparation) -> Loaded:
    try:
        scan = item if isinstance(item, Scan) else read_row(item)
        return Loaded(item.name, item, preparation(scan), spacing=scan.spacing, position=scan.position)
    except UnreadableScan as error:
        return Loaded(item.name, item, error=error)
