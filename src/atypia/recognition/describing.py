"""How the scans of a collection were taken: what their table says, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atypia.errors import UnreadableScan
from atypia.in_order import in_order
from atypia.progress import progress
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.recognition.recognition import Recognised, recognise

WORKERS, AHEAD = 2, 48


@dataclass(frozen=True)
class Described:
    """A row with what was recognised of its scan, or the error that reading it gave."""

    row: Row
    recognised: Recognised | None = None
    error: UnreadableScan | None = None

    @property
    def named(self) -> Row:
        """The row with its plane: the table's, else the recognised one where that is sure."""
        if self.row.plane is not None or self.recognised is None:
            return self.row
        return replace(self.row, plane=self.recognised.sure_plane)


def describe(rows: Sequence[Row], workers: int = WORKERS) -> list[Described]:
    """Read and recognise every row, in order; what cannot be read has its error."""
    done = in_order(_describe, rows, workers=workers, ahead=AHEAD)
    return list(progress(done, total=len(rows), label="recognising"))


def _describe(row: Row) -> Described:
    try:
        return Described(row, recognise(read_row(row)))
    except UnreadableScan as error:
        return Described(row, error=error)
