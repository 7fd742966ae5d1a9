"""The p-values of scored scans, in order, out of tables of findings."""

from __future__ import annotations

import csv
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.errors import BadTable

Record = dict[str, Any]


@dataclass
class Stream:
    """P-values of one stratum in the order of the stream; `places` count all rows of all tables from 0."""

    p_values: array[float] = field(default_factory=lambda: array("d"))
    places: array[int] = field(default_factory=lambda: array("q"))

    def values(self) -> NDArray[np.float64]:
        """Return the p-values (N,)."""
        return np.frombuffer(self.p_values, dtype=np.float64)


@dataclass
class Streams:
    """What several tables of findings hold: a stream for each stratum (None: none was named).

    `rows` counts all rows; `unreadable` and `unfit` those that were not judged, `repeated` those left out
    because another scan of their group is tested. `fit` holds, for each row that is left of the others, its
    place and whether it was judged, 1, or unfit, 0.
    `starts` has, for each table, its name and the place of its first row.
    """

    by_stratum: dict[str | None, Stream] = field(default_factory=dict)
    starts: list[tuple[str, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    unreadable: int = 0
    unfit: int = 0
    repeated: int = 0
    fit: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return len(self.names)

    def where(self, place: int) -> tuple[str, int, str]:
        """Return the table, the scan's number in it counted from 1, and the scan's name."""
        table, start = max((entry for entry in self.starts if entry[1] <= place), key=lambda entry: entry[1])
        return table, place - start + 1, self.names[place]

    def add(self, record: Record, place: str, kept: frozenset[str] | None) -> None:
        """Take a row, where its name is among those `kept`; raise BadTable where its p-value is none."""
        name, stratum = str(record.get("name") or ""), str(record.get("stratum") or "") or None
        p_value = _number(record.get("p_value"), place)
        tested = kept is None or name in kept
        if record.get("unfit"):
            self.unfit += 1
            if tested:
                self.fit[len(self.names)] = 0
        elif math.isnan(p_value):
            self.unreadable += 1
        elif not tested:
            self.repeated += 1
        else:
            stream = self.by_stratum.setdefault(stratum, Stream())
            stream.p_values.append(p_value)
            stream.places.append(len(self.names))
            self.fit[len(self.names)] = 1
        self.names.append(name)


def read_streams(tables: Sequence[Path], kept: frozenset[str] | None = None) -> Streams:
    """Read tables of findings one after the other, in this order; numbers and names stay, nothing else.

    A table is one that `atypia score` wrote: CSV, JSON lines or Parquet with the columns name and p_value,
    and perhaps stratum and unfit. Where `kept` is given, only scans of these names are tested.
    Raises BadTable for any other table, or where no scan is left.
    """
    streams = Streams()
    for table, told in zip(tables, _told(tables), strict=True):
        streams.starts.append((told, streams.rows))
        for number, record in enumerate(_records(table), 1):
            streams.add(record, f"{table}, scan {number}", kept)
    if not streams.by_stratum:
        listed = ", ".join(map(str, tables))
        raise BadTable(
            f"{listed}: expected at least one scan with a p-value to test, received {streams.rows} without, "
            f"{streams.unfit} of them unfit."
        )
    return streams


def _told(tables: Sequence[Path]) -> list[str]:
    """Return the names of tables, with the folder where several share one: `score` names them all alike."""
    names = [table.name for table in tables]
    if len(set(names)) == len(names):
        return names
    return ["/".join(table.absolute().parts[-2:]) for table in tables]


def one_of_each(groups: Iterable[tuple[str, str | None]]) -> frozenset[str]:
    """Return, of names and groups, one name of each group: the one that hashes lowest; all without a group.

    It is chosen by nothing that was said of the scan, so that one is as good as another.
    """
    alone: set[str] = set()
    best: dict[str, tuple[bytes, str]] = {}
    for name, group in groups:
        if group is None:
            alone.add(name)
            continue
        key = (sha256(name.encode(errors="surrogateescape")).digest(), name)
        best[group] = min(best.get(group, key), key)
    return frozenset(alone | {name for _, name in best.values()})


def _records(table: Path) -> Iterator[Record]:
    reader = _READERS.get(table.suffix.lower())
    if reader is None:
        raise _bad(
            table, f"a table of findings ({', '.join(_READERS)})", f"a name that ends in {table.suffix!r}"
        )
    if not table.is_file():
        raise _bad(table, "a table of findings", "no such file")
    try:
        yield from reader(table)
    except (ValueError, RecursionError, csv.Error) as error:  # what is no text, no table, or no JSON
        raise _bad(table, "a table of findings", f"something else ({error})") from error


def _csv(table: Path) -> Iterator[Record]:
    with table.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        _check_columns(table, reader.fieldnames or [])
        yield from reader


def _json_lines(table: Path) -> Iterator[Record]:
    with table.open(encoding="utf-8") as text:
        for line in text:
            if line.strip():
                record = json.loads(line)
                _check_columns(table, list(record) if isinstance(record, dict) else [])
                yield record


def _parquet(table: Path) -> Iterator[Record]:
    import pyarrow as pa  # here, because it is slow to import and few tables need it
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(table) as file:
            columns = file.schema_arrow.names
            _check_columns(table, columns)
            wanted = [name for name in ("name", "p_value", "stratum", "unfit") if name in columns]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _bad(table, "a Parquet table", f"something else ({error})") from error


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    for name in ("name", "p_value"):
        if name not in columns:
            raise _bad(
                table,
                f"a column {name!r}",
                f"the columns {', '.join(columns) or 'of no table'}",
                "Name tables that 'atypia score' wrote.",
            )


def _number(value: Any, place: str) -> float:
    if value is None or value == "":
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.inf
    if not (math.isnan(number) or 0 < number <= 1):
        raise _bad(place, "a p-value above 0 and at most 1", repr(value))
    return number


def _bad(place: Path | str, expected: str, received: str, hint: str = "") -> BadTable:
    return BadTable(f"{place}: expected {expected}, received {received}." + (f" {hint}" if hint else ""))
