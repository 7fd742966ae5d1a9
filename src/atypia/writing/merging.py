"""Tables of one kind, one after another, as a single table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atypia.writing.rows import ROWS_AT_ONCE, Columns, RowsWriter


def merge_tables(parts: Sequence[Path], path: Path) -> None:
    """Write the rows of Parquet tables that a RowsWriter made, with the same columns, as one table.

    Its bytes are those of a RowsWriter that was given all the rows. Memory does not grow with them.
    Raises OutputError, and BadOption as a RowsWriter does; there must be one part at least.
    """
    from pyarrow.parquet import ParquetFile  # here, because few jobs are large enough for parts

    with RowsWriter(path, _columns(parts[0])) as writer:
        for part in parts:
            with ParquetFile(part) as table:
                for batch in table.iter_batches(ROWS_AT_ONCE):
                    for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        writer.write_row(values)


def _columns(part: Path) -> Columns:
    from pyarrow.parquet import read_schema

    kinds = {"string": str, "double": float, "int64": int, "bool": bool}
    return {field.name: kinds[str(field.type)] for field in read_schema(part)}
