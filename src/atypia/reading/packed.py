"""Many rows in little memory: packed in blocks, and made anew whenever they are looked at."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self, final, overload

from atypia.reading.row import Row

BLOCK = 1024

_NAMES = tuple(field.name for field in fields(Row))
_PATHS = tuple(_NAMES.index(name) for name in ("path", "mask"))


@final
class PackedRows(Sequence[Row]):
    """Rows that take some ten bytes each instead of some hundreds, at the cost of microseconds a look.

    Each look makes a new Row, equal to the one that was packed and not the same object. Rows that are looked
    at in order, or lie near each other, are unpacked by the block.

    >>> rows = PackedRows([Row(Path("a.png"), "a"), Row(Path("b.png"), "b", label="normal")])
    >>> len(rows), rows[-1].label, [row.name for row in rows]
    (2, 'normal', ['a', 'b'])
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._blocks: list[bytes] = []
        self._count = 0
        self._last: tuple[int, list[Row]] = (-1, [])
        block: list[list[Any]] = []
        for row in rows:
            block.append(_values(row))
            if len(block) == BLOCK:
                self._pack(block)
                block = []
        if block:
            self._pack(block)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self._count))]
        whole = place + self._count if place < 0 else place
        if not 0 <= whole < self._count:
            raise IndexError(place)
        number, inside = divmod(whole, BLOCK)
        return self._block(number)[inside]

    def __iter__(self) -> Iterator[Row]:
        for number in range(len(self._blocks)):
            yield from _unpacked(self._blocks[number])

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Return these rows packed; what is packed already as it is."""
        return rows if isinstance(rows, cls) else cls(rows)

    def _pack(self, block: list[list[Any]]) -> None:
        self._blocks.append(zlib.compress(json.dumps(block).encode(), 1))
        self._count += len(block)

    def _block(self, number: int) -> list[Row]:
        last = self._last  # one look at it: another thread may put another block there
        if last[0] != number:
            self._last = last = (number, _unpacked(self._blocks[number]))
        return last[1]


def _values(row: Row) -> list[Any]:
    values = [getattr(row, name) for name in _NAMES]
    return [str(value) if isinstance(value, Path) else value for value in values]


def _unpacked(block: bytes) -> list[Row]:
    rows = []
    for values in json.loads(zlib.decompress(block)):
        for place in _PATHS:
            if values[place] is not None:
                values[place] = Path(values[place])
        rows.append(Row(*values))
    return rows
