"""One pass over the files of a set: each read and prepared once, looked at, and kept small on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Batch
from atypia.errors import UnreadableScan
from atypia.fitness.look import Looks, look_at
from atypia.in_order import in_order
from atypia.preparation import Preparation
from atypia.progress import progress
from atypia.reading.row import Row
from atypia.reading.rows import read_row

SIDE = 160
AT_ONCE = 16
AHEAD = 2
_HEAD, _INTERIOR = np.uint8(1), np.uint8(2)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass saw: `places` (N,) of the rows that could be prepared, with their `looks` and `heads`.

    `heads` int (N,) counts the heads in each picture. `blank` are the places of pictures that show nothing.
    `pictures` holds the prepared scans.
    """

    places: NDArray[np.intp]
    looks: Looks | None
    heads: NDArray[np.intp]
    blank: tuple[int, ...]
    pictures: Pictures


@dataclass(frozen=True, eq=False)
class Pictures:
    """Prepared scans on disk at eight bits; `chosen` are those that this set shows, in its order."""

    path: Path
    chosen: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.chosen)

    def only(self, places: NDArray[np.intp]) -> Pictures:
        """Return a set of these of them."""
        return Pictures(self.path, self.chosen[places])

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return those at these places: pixels in [0, 1], their heads and interiors."""
        stored = np.memmap(self.path, np.uint8, "r").reshape(-1, 2, SIDE, SIDE)[self.chosen[indices]]
        masks = stored[:, 1]
        pixels = stored[:, 0].astype(np.float32) / np.float32(255)
        return Batch(pixels, (masks & _HEAD) > 0, (masks & _INTERIOR) > 0)


@dataclass(frozen=True, eq=False)
class _Part:
    pixels: NDArray[np.uint8]
    places: list[int]
    looks: Looks | None
    heads: list[int]
    blank: list[int]


def first_look(rows: Sequence[Row], work: Path, workers: int) -> Seen:
    """Read, prepare and look at every row; those that cannot be read are left out."""
    preparation = Preparation(size=SIDE, upright=False)
    spans = [range(start, min(start + AT_ONCE, len(rows))) for start in range(0, len(rows), AT_ONCE)]
    path = work / "pictures"
    parts = []
    done = in_order(
        lambda span: _look(span, rows, preparation), spans, workers=workers, ahead=workers + AHEAD
    )
    with path.open("wb") as file:
        for part in progress(done, total=len(spans), label="looking for strangers", unit="batch"):
            file.write(part.pixels.tobytes())
            parts.append(part)
    places = [place for part in parts for place in part.places]
    looks = [part.looks for part in parts if part.looks is not None]
    return Seen(
        np.array(places, np.intp),
        Looks.together(looks) if looks else None,
        np.array([heads for part in parts for heads in part.heads], np.intp),
        tuple(place for part in parts for place in part.blank),
        Pictures(path, np.arange(len(places))),
    )


def _look(span: range, rows: Sequence[Row], preparation: Preparation) -> _Part:
    prepared, places, heads, blank = [], [], [], []
    for place in span:
        try:
            scan = read_row(rows[place])
        except UnreadableScan:
            continue
        try:
            prepared.append(preparation(scan))
        except UnreadableScan as error:
            if error.received == "no contrast":
                blank.append(place)
            continue
        places.append(place)
        heads.append(prepared[-1].heads)
    if not prepared:
        return _Part(np.empty((0, 2, SIDE, SIDE), np.uint8), [], None, [], blank)
    pixels = np.stack([one.pixels for one in prepared])
    masks = np.stack([one.foreground for one in prepared])
    both = masks * _HEAD | np.stack([one.interior for one in prepared]) * _INTERIOR
    stored = np.stack([np.uint8(np.round(pixels * 255)), both], axis=1)
    return _Part(stored, places, look_at(pixels, masks, threads=1), heads, blank)
