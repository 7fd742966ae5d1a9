"""Findings as a table on disk, written while they come."""

from __future__ import annotations

import csv
import json
import math
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from atypia.atomic import atomic, not_written
from atypia.errors import BadOption
from atypia.scan import Finding

ROWS_AT_ONCE = 1024


class FindingsWriter:
    """Writes findings one by one to a `.csv`, `.jsonl` or `.parquet` file, which appears when it is closed.

    The columns are name, verdict, score, p_value, threshold, flagged, error,
    stratum, unfit and regions (their number); a number that is missing is
    an empty cell or null. In CSV a text that a spreadsheet could take for a formula gets a leading
    apostrophe. Use it in a `with` statement; where that ends in an error nothing is left on disk.
    Raises BadOption for another suffix and OutputError where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in _FORMATS:
            raise BadOption(
                f"{path}: expected a table that ends in {', '.join(_FORMATS)}; received {path.suffix!r}."
            )
        self.path = path

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic(self.path))
            self._format = _FORMATS[self.path.suffix.lower()](temporary)
            self._commit = stack.pop_all()
        return self

    def write(self, finding: Finding) -> None:
        """Add one finding; raise OutputError where there is no room for it."""
        try:
            self._format.write(_Record.of(finding))
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


class _Abandoned(Exception):
    """Nothing is kept of this table."""


@dataclass(frozen=True)
class _Record:
    name: str
    verdict: str
    score: float | None
    p_value: float | None
    threshold: float | None
    flagged: bool | None
    error: str | None
    stratum: str | None
    unfit: str | None
    regions: int

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            name=_printable(finding.name),
            verdict=finding.verdict,
            score=_number(finding.score),
            p_value=_number(finding.p_value),
            threshold=_number(finding.threshold),
            flagged=finding.flagged,
            error=None if finding.error is None else _printable(finding.error),
            stratum=None if finding.stratum is None else _printable(finding.stratum),
            unfit=None if finding.unfit is None else _printable(finding.unfit),
            regions=len(finding.regions),
        )


_COLUMNS = [field.name for field in fields(_Record)]


class _Format(Protocol):
    def __init__(self, path: Path) -> None: ...
    def write(self, record: _Record) -> None: ...
    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(_COLUMNS)

    def write(self, record: _Record) -> None:
        self._rows.writerow([_cell(value) for value in astuple(record)])

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, record: _Record) -> None:
        values = dict(zip(_COLUMNS, astuple(record), strict=True))
        self._file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        from pyarrow import bool_, float64, int64, schema, string
        from pyarrow.parquet import ParquetWriter

        text, number = string(), float64()
        kinds = [text, text, number, number, number, bool_(), text, text, text, int64()]
        self._writer = ParquetWriter(path, schema(list(zip(_COLUMNS, kinds, strict=True))))
        self._waiting: list[_Record] = []

    def write(self, record: _Record) -> None:
        self._waiting.append(record)
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
            rows = [dict(zip(_COLUMNS, astuple(record), strict=True)) for record in self._waiting]
            self._waiting = []
            self._writer.write_table(Table.from_pylist(rows, schema=self._writer.schema))


_FORMATS: dict[str, type[_Format]] = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _printable(text: str) -> str:
    """Return the text with whatever UTF-8 cannot hold, as odd bytes in a file name, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cell(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return "" if value is None else str(value)
