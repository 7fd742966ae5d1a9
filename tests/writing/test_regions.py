from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from atypia.errors import BadOption
from atypia.scan import Finding, Region
from atypia.writing.regions import RegionsWriter

COLUMNS = [
    *("scan", "rank", "area", "area_mm2", "peak", "mean", "p_value"),
    *("centre_row", "centre_column", "top", "left", "bottom", "right"),
]
LARGE = Region(120, 2.5, 1.5, 0.01, (10.5, 20.25), (5, 15, 16, 26), 30.0)
SMALL = Region(7, 1.25, 1.0, 0.09, (40.0, 2.0), (38, 0, 43, 4))
FINDINGS = [
    Finding("=one.png", 1.0, 0.02, True, 0.5, regions=(LARGE, SMALL)),
    Finding("two.png", 0.1, 0.8, False, 0.5),
    Finding("three.png", 0.1, 0.8, False, 0.5, regions=(SMALL,)),
]


def written(path: Path) -> Path:
    with RegionsWriter(path) as writer:
        for finding in FINDINGS:
            writer.write(finding)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_every_region_has_its_row(tmp_path, suffix):
    path = written(tmp_path / f"regions{suffix}")
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pq.read_table(path).to_pylist()
    assert [list(row) for row in rows] == [COLUMNS] * 3
    ranks = [(row["scan"], row["rank"]) for row in rows]
    assert ranks == [("=one.png", 1), ("=one.png", 2), ("three.png", 1)]
    assert list(rows[0].values())[1:] == [1, 120, 30.0, 2.5, 1.5, 0.01, 10.5, 20.25, 5, 15, 16, 26]
    assert rows[1]["area_mm2"] is None


def test_a_spreadsheet_can_read_it(tmp_path):
    with written(tmp_path / "regions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["scan"] == "'=one.png"
    assert (rows[0]["area"], rows[0]["area_mm2"], rows[1]["area_mm2"]) == ("120", "30.0", "")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_regions_are_an_empty_table(tmp_path, suffix):
    with RegionsWriter(tmp_path / f"regions{suffix}"):
        pass
    assert (tmp_path / f"regions{suffix}").exists()


def test_a_row_of_another_length_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected 13 values"), RegionsWriter(tmp_path / "r.csv") as writer:
        writer.write_row(("one",))


def test_another_suffix_is_refused():
    with pytest.raises(BadOption, match="xlsx"):
        RegionsWriter(Path("regions.xlsx"))
