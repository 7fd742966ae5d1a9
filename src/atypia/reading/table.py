"""Tables of scans, CSV or Parquet: read with every row checked, and written whole or not at all."""

from __future__ import annotations

import csv
import math
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from atypia.errors import BadOption, BadTable, OutputError
from atypia.reading.cutting import MEAN
from atypia.reading.folder import label_of
from atypia.reading.row import HEALTHY_SPLITS, LABELS, SPLITS, STRATA, Row, real_paths
from atypia.reading.volume import PLANES, slice_name, volume_name
from atypia.reading.volumes import is_volume
from atypia.remote import is_remote

TABLE_SUFFIXES = (".csv", ".parquet")
COLUMNS = ("path", "label", "split", "group", "kind", "mask", *STRATA, "slice", "volume")
_AT_ONCE, _LONGEST = 4096, 2**15
_ALWAYS_ROWS, _ALWAYS_BYTES, _BYTES_A_BYTE = 2**17, 2**26, 64
_MOST_DIGITS = 9
_WHERE_KNOWN = (*STRATA, "slice", "volume")

_Record = dict[str, str | None]


def read_table(file: Path, root: Path) -> list[Row]:
    """Read a table of scans whose paths are relative to `root`.

    A CSV table is UTF-8, with commas, semicolons or tabs; columns come in any order and others are ignored.
    Raises BadTable, with the row, for what a table may not hold; whether the files exist is not looked at.
    """
    records = _parquet_records(file) if file.suffix.lower() == ".parquet" else _csv_records(file)
    rows, numbers = list[Row](), array("q")
    for number, record in records:
        rows.append(_row(_place(file, number), record, root))
        numbers.append(number)
    if not rows:
        raise _bad(file, "at least one row", "a table without rows", "List one scan a row.")
    _refuse_duplicates(file, numbers, rows)
    return rows


def _bad(place: Path | str, expected: str, received: str, hint: str = "") -> BadTable:
    return BadTable(f"{place}: expected {expected}, received {received}." + (f" {hint}" if hint else ""))


def _place(file: Path, number: int) -> str:
    return f"{file}, row {number}"


def _csv_records(file: Path) -> Iterator[tuple[int, _Record]]:
    """Yield the rows with their numbers as an editor or a spreadsheet counts them: the header is row 1."""
    number = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            header = text.readline()
            text.seek(0)
            reader = csv.reader(
                text, delimiter=max(",;\t", key=header.count), strict=True, skipinitialspace=True
            )
            names = _checked_names(file, next(reader, []))
            for values in reader:
                number = reader.line_num
                if len(values) > len(names):
                    raise _bad(
                        _place(file, number),
                        f"at most {len(names)} values",
                        f"{len(values)}",
                        "Put quotes around a value that holds the separator.",
                    )
                if any(values):
                    yield number, dict(zip(names, values, strict=False))
    except UnicodeDecodeError as error:
        raise _bad(
            file, "a CSV table in UTF-8", f"other bytes ({error.reason})", "Save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise _bad(
            _place(file, number + 1), "a row of a CSV table", f"one that is broken ({error})"
        ) from error


def _parquet_records(file: Path) -> Iterator[tuple[int, _Record]]:
    """Yield the rows, counted from 1."""
    import pyarrow.parquet as pq  # here, because it is slow to import and few tables need it

    number = 0
    try:
        with pq.ParquetFile(file) as table:
            columns = table.schema_arrow.names
            names = _checked_names(file, columns)
            wanted = [column for column, name in zip(columns, names, strict=True) if name in COLUMNS]
            _refuse_bomb(file, table.metadata)
            _refuse_odd(file, [table.schema_arrow.field(column).type for column in wanted])
        with pq.ParquetFile(file, read_dictionary=wanted) as table:
            for batch in table.iter_batches(_AT_ONCE, columns=wanted):
                _refuse_long(file, batch)
                keys = [column.strip().lower() for column in batch.schema.names]
                for values in zip(*batch.to_pydict().values(), strict=True):
                    number += 1
                    yield number, {key: _as_text(value) for key, value in zip(keys, values, strict=True)}
    except BadTable:
        raise
    except Exception as error:  # damaged files draw almost any exception
        raise _bad(file, "a Parquet table", f"something else ({error})") from error


def _refuse_bomb(file: Path, told: Any) -> None:
    """Refuse a table of far more rows, or bytes, than its file can hold."""
    size = file.stat().st_size
    groups = (told.row_group(number) for number in range(told.num_row_groups))
    packed = [group.column(one) for group in groups for one in range(group.num_columns)]
    unpacked = sum(column.total_uncompressed_size for column in packed)
    if told.num_rows > max(_ALWAYS_ROWS, size) or unpacked > max(_ALWAYS_BYTES, _BYTES_A_BYTE * size):
        received = f"one of {told.num_rows:,} rows in {size:,} bytes"
        raise _bad(file, "a Parquet table", received, "Such a size is a damaged file, or a bomb.")


def _refuse_odd(file: Path, kinds: list[Any]) -> None:
    """Refuse columns of neither texts nor numbers."""
    from pyarrow import types

    for kind in kinds:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        plain = types.is_string(kind) or types.is_large_string(kind) or types.is_primitive(kind)
        if not (plain or types.is_null(kind) or types.is_decimal(kind)):
            raise _bad(file, "columns of texts and numbers", f"one of {kind}")


def _refuse_long(file: Path, batch: Any) -> None:
    """Refuse texts that are none of a table, of which one may stand for very many."""
    import pyarrow.compute as pc
    from pyarrow import types

    for column in batch.columns:
        values = column.dictionary if types.is_dictionary(column.type) else column
        is_text = types.is_string(values.type) or types.is_large_string(values.type)
        if is_text and (pc.max(pc.binary_length(values)).as_py() or 0) > _LONGEST:
            raise _bad(file, f"texts of at most {_LONGEST:,} bytes", "a longer one")


def _checked_names(file: Path, columns: list[str]) -> list[str]:
    names = [column.strip().lower() for column in columns]
    if "path" not in names:
        raise _bad(
            file,
            "a column 'path'",
            f"the columns {', '.join(map(repr, columns))}" if columns else "no columns",
            "The first row names the columns: " + ", ".join(COLUMNS) + "; only path is required.",
        )
    for name in COLUMNS:
        if names.count(name) > 1:
            raise _bad(file, f"one column {name!r}", f"{names.count(name)} of them")
    return names


def _as_text(value: object) -> str | None:
    """Return a cell as CSV would hold it: pandas stores numbers beside gaps as floats, and gaps as NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _row(place: str, record: _Record, root: Path) -> Row:
    path, mask = record.get("path"), record.get("mask")
    if not path or not path.strip() or "\0" in path + (mask or ""):
        raise _bad(place, "a path", repr(path or ""), "Every row needs the path of its scan.")
    file = _placed(root, path)
    plane, index = (record.get("plane") or "").strip(), _slice(place, record, file)
    volume = _volume(place, record, file)
    whole = path if volume is None else f"{path}:{volume_name(volume)}"
    row = Row(
        path=file,
        name=whole if index is None else f"{whole}:{slice_name(plane, index)}",
        label=_word(place, "label", record.get("label"), LABELS),
        split=_word(place, "split", record.get("split"), SPLITS),
        group=(record.get("group") or "").strip() or None,
        kind=(record.get("kind") or "").strip() or None,
        mask=_placed(root, mask) if mask and mask.strip() else None,
        plane=plane or None,
        sequence=(record.get("sequence") or "").strip() or None,
        scanner=(record.get("scanner") or "").strip() or None,
        slice=index,
        volume=volume,
    )
    _refuse_misplaced(place, row)
    return row


def _placed(root: Path, path: str) -> Path:
    """Return where a table's path leads, from `root` unless it is the address of an object."""
    whole = Path(path)
    return whole if is_remote(whole) else root / whole


def _slice(place: str, record: _Record, path: Path) -> int | None:
    """Return the number of the slice of a volume; None where the row is of a picture or a whole volume."""
    number, plane = (record.get("slice") or "").strip(), (record.get("plane") or "").strip()
    if not is_volume(path):
        return None
    if (plane or number) and plane not in PLANES:
        raise _bad(place, f"a plane to cut the volume in, out of {', '.join(PLANES)}", repr(plane))
    if number and not (number.isdecimal() and len(number) <= _MOST_DIGITS):
        raise _bad(place, "the number of a slice, from 0", repr(number))
    return int(number) if number else None


def _volume(place: str, record: _Record, path: Path) -> str | None:
    """Return which volume of its file a row is of; None where the file holds one, or a picture."""
    name = (record.get("volume") or "").strip().lower()
    if not name or not is_volume(path):
        return None
    if name != MEAN and not (name.isdecimal() and len(name) <= _MOST_DIGITS):
        raise _bad(place, f"the number of a volume in its file, from 0, or {MEAN}", repr(name))
    return name if name == MEAN else str(int(name))


def _word(place: str, column: str, value: str | None, allowed: tuple[str, ...]) -> str | None:
    word = (value or "").strip().lower()
    if not word:
        return None
    if word in allowed:
        return word
    guess = label_of(word) if column == "label" else next(iter(get_close_matches(word, allowed, 1)), None)
    raise _bad(
        place,
        f"a {column} out of {', '.join(allowed)}, or none",
        repr(value),
        f"Did you mean {guess!r}?" if guess else f"Correct the {column}, or leave it empty.",
    )


def _refuse_misplaced(place: str, row: Row) -> None:
    if row.split in HEALTHY_SPLITS and row.label == "abnormal":
        raise _bad(
            place,
            f"only normal scans in the split {row.split!r}",
            f"the abnormal {row.name!r}",
            "Nothing is learned from abnormal scans: move it to validation, test or tumor_test.",
        )
    if row.split == "tumor_test" and row.label == "normal":
        raise _bad(
            place,
            "only abnormal scans in the split 'tumor_test'",
            f"the normal {row.name!r}",
            "Move it to test.",
        )


def _refuse_duplicates(file: Path, numbers: Sequence[int], rows: Sequence[Row]) -> None:
    # A hash takes a fifth of the memory of what it is of; those that are equal are looked at once more.
    hashes = array("q", (hash(scan) for scan in _scans(rows)))
    if len(set(hashes)) == len(rows):
        return
    seen: dict[object, int] = {}
    for number, row, scan in zip(numbers, rows, _scans(rows), strict=True):
        if scan in seen:
            raise _bad(
                _place(file, number),
                "every scan once",
                f"{row.name!r}, the same file as in row {seen[scan]}",
                "Delete one of the two rows.",
            )
        seen[scan] = number


def _scans(rows: Sequence[Row]) -> Iterator[object]:
    """Yield for each row what is equal only where it names the same scan."""
    for row, file_path in zip(rows, real_paths(row.path for row in rows), strict=True):
        yield file_path, row.volume, row.slice is None or (row.plane, row.slice)


def write_table(
    rows: Iterable[Row], file: Path, root: Path, *, extra: Mapping[str, Sequence[str | None]] | None = None
) -> None:
    """Write rows as CSV or Parquet, by the suffix, with paths relative to `root` where that is possible.

    `extra` holds further columns, a value for each row; who reads the table back ignores them. The table
    appears whole or not at all. Raises BadOption for another suffix, OutputError where it fails.
    """
    suffix = file.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise BadOption(
            f"{file}: expected a table's name that ends in .csv or .parquet, received {suffix!r}."
        )
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    columns = _columns([_record(row, root) for row in rows]) | dict(extra or {})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        (_write_parquet if suffix == ".parquet" else _write_csv)(columns, part)
        part.replace(file)
    except (OSError, UnicodeEncodeError) as error:
        raise OutputError(f"{file}: expected to write a table, but: {error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _record(row: Row, root: Path) -> tuple[str | None, ...]:
    mask = _relative(row.mask, root) if row.mask else None
    strata = (getattr(row, name) for name in STRATA)
    index = None if row.slice is None else str(row.slice)
    place = _relative(row.path, root)
    return (place, row.label, row.split, row.group, row.kind, mask, *strata, index, row.volume)


def _columns(records: list[tuple[str | None, ...]]) -> dict[str, Sequence[str | None]]:
    """Return the columns to write: the slice, and how scans were taken, only where some row says so."""
    columns = {name: [record[place] for record in records] for place, name in enumerate(COLUMNS)}
    return {name: values for name, values in columns.items() if name not in _WHERE_KNOWN or any(values)}


def _relative(path: Path, root: Path) -> str:
    """Return a path seen from `root`, with forward slashes; an absolute one where the two share no folder."""
    whole, base = path.absolute(), root.absolute()
    if whole.is_relative_to(base) and ".." not in whole.parts:
        return whole.relative_to(base).as_posix()
    # Going up is only sound between real folders: `..` after a link leads elsewhere.
    folder, base = Path(os.path.realpath(whole.parent)), Path(os.path.realpath(base))
    if folder.parts[:2] != base.parts[:2]:
        return whole.as_posix()
    return Path(os.path.relpath(folder / whole.name, base)).as_posix()


def _write_csv(columns: Mapping[str, Sequence[str | None]], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _write_parquet(columns: Mapping[str, Sequence[str | None]], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), file)
