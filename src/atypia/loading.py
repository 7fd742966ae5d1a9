"""Reads and prepares many scans in threads, in order, with bounded memory; a bad scan becomes its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from atypia.detectors import Batch
from atypia.errors import UnreadableScan
from atypia.in_order import queued, threads
from atypia.preparation import Preparation, Prepared
from atypia.processors import shared
from atypia.reading.fetched import fetched_ahead
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.scan import Image, Scan

AHEAD = 48


@dataclass(frozen=True, eq=False)
class Loaded:
    """One scan with what came of it: prepared, or the error that reading or preparing it gave.

    `source` is what was given: the row or the scan in memory, with its group and strata.
    `spacing` is the size of its pixels in mm, and `position` its place along the head, where known.
    `pixels` is the scan as it was read (H, W), where that was to be kept.
    """

    name: str
    source: Row | Scan
    prepared: Prepared | None = None
    error: UnreadableScan | None = None
    spacing: tuple[float, ...] | None = None
    position: float | None = None
    pixels: Image | None = None


def load(items: Iterable[Row | Scan], preparation: Preparation) -> Iterator[Loaded]:
    """Yield every row, or scan in memory, read and prepared, in order; at most AHEAD are under way.

    Read in as many threads as a job has: see `shared`.
    """
    with threads(shared(None).workers) as pool:
        yield from load_by(pool, items, preparation)


def load_by(
    pool: Executor | None, items: Iterable[Row | Scan], preparation: Preparation, kept: int = 0
) -> Iterator[Loaded]:
    """Do the same in the threads of a pool; None reads in the caller's own, one at a time.

    Of pictures of up to `kept` pixels the pixels are kept.
    """
    return queued(lambda item: _load(item, preparation, kept), fetched_ahead(items), pool, ahead=AHEAD)


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


def _load(item: Row | Scan, preparation: Preparation, kept: int) -> Loaded:
    try:
        scan = item if isinstance(item, Scan) else read_row(item)
        pixels = scan.pixels if scan.pixels.size <= kept and _is_picture(item) else None
        return Loaded(
            item.name, item, preparation(scan), spacing=scan.spacing, position=scan.position, pixels=pixels
        )
    except UnreadableScan as error:
        return Loaded(item.name, item, error=error)


def _is_picture(item: Row | Scan) -> bool:
    return isinstance(item, Row) and item.slice is None
