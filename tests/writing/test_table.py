from __future__ import annotations

import csv
import json
import math
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from atypia.errors import BadOption, OutputError
from atypia.scan import Finding
from atypia.writing.table import ROWS_AT_ONCE, FindingsWriter

COLUMNS = [
    "name",
    "verdict",
    "score",
    "p_value",
    "threshold",
    "flagged",
    "error",
    "stratum",
    "unfit",
    "regions",
]
FINDINGS = [
    Finding("a/one.png", 0.1 + 0.2, 1 / 3, False, 0.5),
    Finding('two, "quoted"\n.png', 0.75, 0.004, True, 0.5),
    Finding("größe-脳.png", math.nan, math.nan, None, 0.5, error="a truncated file"),
]


def write(path: Path, findings: list[Finding]) -> None:
    with FindingsWriter(path) as writer:
        for finding in findings:
            writer.write(finding)


def read_csv(path: Path) -> list[dict[str, object]]:
    def parse(row: dict[str, str]) -> dict[str, object]:
        numbers = {key: float(row[key]) if row[key] else None for key in ("score", "p_value", "threshold")}
        flagged = {"true": True, "false": False, "": None}[row["flagged"]]
        texts = {key: row[key] or None for key in ("error", "stratum", "unfit")}
        return {**row, **numbers, **texts, "flagged": flagged, "regions": int(row["regions"])}

    with path.open(encoding="utf-8", newline="") as file:
        return [parse(row) for row in csv.DictReader(file)]


def read_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def read_parquet(path: Path) -> list[dict[str, object]]:
    return pq.read_table(path).to_pylist()


READERS = {".csv": read_csv, ".jsonl": read_jsonl, ".parquet": read_parquet}
Reader = Callable[[Path], list[dict[str, object]]]


@pytest.mark.parametrize(("suffix", "read"), READERS.items())
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str, read: Reader) -> None:
    path = tmp_path / "out" / f"findings{suffix}"
    write(path, FINDINGS)
    rows = read(path)
    assert [list(row) for row in rows] == [COLUMNS] * 3
    assert [row["name"] for row in rows] == [finding.name for finding in FINDINGS]
    assert [row["verdict"] for row in rows] == ["normal", "abnormal", "unreadable"]
    assert [row["score"] for row in rows] == [0.1 + 0.2, 0.75, None]
    assert [row["p_value"] for row in rows] == [1 / 3, 0.004, None]
    assert [row["flagged"] for row in rows] == [False, True, None]
    assert rows[2]["error"] == "a truncated file"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", READERS)
def test_no_findings_make_an_empty_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"findings{suffix}"
    write(path, [])
    assert READERS[suffix](path) == []


def test_more_rows_than_one_group_arrive_in_order(tmp_path: Path) -> None:
    path = tmp_path / "findings.parquet"
    count = 2 * ROWS_AT_ONCE + 5
    write(path, [Finding(f"{place}.png", float(place), 0.5, False, 1.0) for place in range(count)])
    assert [row["score"] for row in read_parquet(path)] == list(range(count))
    assert pq.ParquetFile(path).num_row_groups == 3


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path, start: str) -> None:
    hostile = f"{start}HYPERLINK(1)"
    path = tmp_path / "findings.csv"
    write(path, [Finding(hostile, -1.5, 0.5, None, -2.0, error=hostile)])
    (row,) = read_csv(path)
    assert row["name"] == row["error"] == f"'{hostile}"
    assert row["score"] == -1.5


@pytest.mark.parametrize("suffix", READERS)
def test_odd_bytes_in_a_file_name_are_written_as_escapes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"findings{suffix}"
    write(path, [Finding("scan\udcff.png", 0.5, 0.5, False, 1.0)])
    assert READERS[suffix](path)[0]["name"] == "scan\\udcff.png"


@pytest.mark.parametrize("suffix", READERS)
def test_an_error_leaves_nothing_on_disk(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError), FindingsWriter(tmp_path / f"findings{suffix}") as writer:  # noqa: PT012
        writer.write(FINDINGS[0])
        raise FileNotFoundError  # of a scan, say: no fault of the table's
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", READERS)
def test_a_full_disk_is_an_output_error(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # or others would find half of a module
    path = tmp_path / f"findings{suffix}"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    findings = [
        Finding(f"{place * 7919}.png", place / 7, 0.5, False, 1.0) for place in range(3 * ROWS_AT_ONCE)
    ]
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError, match="could not be written"):
            write(path, findings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused() -> None:
    with pytest.raises(BadOption, match=r"\.csv, \.jsonl, \.parquet; received '\.xlsx'"):
        FindingsWriter(Path("findings.xlsx"))
