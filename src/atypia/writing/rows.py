"""Rows as a table on disk, written while they come, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from atypia.atomic import atomic, not_written
from atypia.errors import BadOption

ROWS_AT_ONCE = 1024

Value = str | float | int | bool | None
Columns = Mapping[str, type[str] | type[float] | type[int] | type[bool]]


class RowsWriter:
    """Writes rows one by one to a `.csv`, `.jsonl` or `.parquet` file, which appears when it is closed.

    `columns` gives each its type; a value that is None is an empty cell or null. In CSV a text that a
    spreadsheet could take for a formula gets a leading apostrophe. Use it in a `with` statement; where that
    ends in an error nothing is left on disk.
    Raises BadOption for another suffix and OutputError where the file cannot be written.
    """

    def __init__(self, path: Path, columns: Columns) -> None:
        if path.suffix.lower() not in _FORMATS:
            raise BadOption(
                f"{path}: expected a table that ends in {', '.join(_FORMATS)}; received {path.suffix!r}."
            )
        self.path, self.columns = path, columns

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic(self.path))
            self._format = _FORMATS[self.path.suffix.lower()](temporary, self.columns)
            self._commit = stack.pop_all()
        return self

    def write_row(self, values: Sequence[Value]) -> None:
        """Add one row, a value for each column; raise OutputError where there is no room for it."""
        if len(values) != len(self.columns):
            raise ValueError(f"expected {len(self.columns)} values in a row, received {len(values)}")
        try:
            self._format.write(values)
        except OSError as error:
            raise not_written(self.path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with self._commit:
                self._format.close()
            return
        with suppress(OSError, ValueError):  # what went wrong first is what the user must hear of
            self._format.close()
        with suppress(_Abandoned), self._commit:
            raise _Abandoned


def number(value: float | None) -> float | None:
    """Return the value, or None where it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def printable(text: str) -> str:
    """Return the text with whatever UTF-8 cannot hold, as odd bytes in a file name, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable_or_none(text: str | None) -> str | None:
    """Return the same as `printable`; None stays None."""
    return None if text is None else printable(text)


class _Abandoned(Exception):
    """Nothing is kept of this table."""


class _Format(Protocol):
    def __init__(self, path: Path, columns: Columns) -> None: ...
    def write(self, values: Sequence[Value]) -> None: ...
    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path, columns: Columns) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(columns)

    def write(self, values: Sequence[Value]) -> None:
        self._rows.writerow([_cell(value) for value in values])

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, path: Path, columns: Columns) -> None:
        self._columns = columns
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, values: Sequence[Value]) -> None:
        row = dict(zip(self._columns, values, strict=True))
        self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, columns: Columns) -> None:
        from pyarrow import bool_, float64, int64, schema, string
        from pyarrow.parquet import ParquetWriter

        kinds = {str: string(), float: float64(), int: int64(), bool: bool_()}
        self._columns = columns
        self._writer = ParquetWriter(path, schema([(name, kinds[kind]) for name, kind in columns.items()]))
        self._waiting: list[Sequence[Value]] = []

    def write(self, values: Sequence[Value]) -> None:
        self._waiting.append(values)
        if len(self._waiting) >= ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        from pyarrow import Table

        if self._waiting:
            rows = [dict(zip(self._columns, values, strict=True)) for values in self._waiting]
            self._waiting = []
            self._writer.write_table(Table.from_pylist(rows, schema=self._writer.schema))


_FORMATS: dict[str, type[_Format]] = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return "" if value is None else str(value)
