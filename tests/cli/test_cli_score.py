from __future__ import annotations

import csv
import json

import pyarrow.parquet as pq
import pytest
from PIL import Image


def rows_of(folder):
    with (folder / "findings.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_scan_gets_a_row(atypia, nearest_file, phantom_table, tmp_path):
    outcome = atypia("score", nearest_file, phantom_table, "-o", tmp_path)
    rows = rows_of(tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    abnormal = sum(row["verdict"] == "abnormal" for row in rows)
    assert outcome.out.splitlines() == [
        f"48 scans judged, {abnormal} abnormal",
        f"findings: {tmp_path / 'findings.csv'}",
        "Research use only. Not a medical device.",
    ]
    assert [row["name"] for row in rows][:2] == ["healthy/0000.png", "healthy/0001.png"]
    assert all((row["flagged"] == "true") == (row["verdict"] == "abnormal") for row in rows)
    assert all((float(row["score"]) > float(row["threshold"])) == (row["flagged"] == "true") for row in rows)


def test_one_picture_is_a_scan(atypia, nearest_file, phantom_table, tmp_path):
    outcome = atypia("score", nearest_file, phantom_table.parent / "healthy" / "0000.png", "-o", tmp_path)
    assert outcome.out.startswith("1 scan judged, ")
    assert len(rows_of(tmp_path)) == 1


def test_the_autoencoder_judges_too(atypia, autoencoder_file, phantom_table, tmp_path):
    folder = phantom_table.parent / "abnormal"
    assert atypia("score", autoencoder_file, folder, "-o", tmp_path, "--threads", 1).code == 0
    assert len(rows_of(tmp_path)) == 8


def test_formats_agree_and_replace_each_other(atypia, nearest_file, phantom_table, tmp_path):
    words = ("score", nearest_file, phantom_table.parent / "abnormal", "-o", tmp_path)
    atypia(*words)
    as_csv = rows_of(tmp_path)
    atypia(*words, "--format", "jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"findings.jsonl", "regions.jsonl"}
    lines = (tmp_path / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    atypia(*words, "--format", "parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"findings.parquet", "regions.parquet"}
    as_parquet = pq.read_table(tmp_path / "findings.parquet").to_pylist()
    assert [json.loads(line) for line in lines] == as_parquet
    assert [row["name"] for row in as_csv] == [row["name"] for row in as_parquet]
    assert [float(row["score"]) for row in as_csv] == [row["score"] for row in as_parquet]


def test_heat_maps_are_pictures_of_the_scans_size(atypia, nearest_file, phantom_table, tmp_path):
    words = ("score", nearest_file, phantom_table.parent / "abnormal", "-o", tmp_path)
    outcome = atypia(*words, "--heatmaps")
    maps = list((tmp_path / "heatmaps").iterdir())
    assert f"heat maps: {tmp_path / 'heatmaps'}" in outcome.out
    assert len(maps) == 8
    for path in maps:
        with Image.open(path) as picture:
            assert picture.size == (224, 224)
    assert atypia(*words).code == 0
    assert not (tmp_path / "heatmaps").exists()  # those of another run would mislead


def test_what_is_not_ours_stays(atypia, nearest_file, phantom_table, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "heatmaps").mkdir()
    (tmp_path / "heatmaps" / "notes.txt").write_text("mine too")
    atypia("score", nearest_file, phantom_table.parent / "abnormal", "-o", tmp_path, "--heatmaps")
    atypia("score", nearest_file, phantom_table.parent / "abnormal", "-o", tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"notes.txt", "findings.csv", "regions.csv", "heatmaps", "heatmaps/notes.txt"}


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_place_that_cannot_be_written_is_code_6(atypia, nearest_file, phantom_table, tmp_path, kind):
    (tmp_path / "taken").write_text("in the way")
    out = tmp_path / "taken" if kind == "file" else tmp_path / "taken" / "out"
    outcome = atypia("score", nearest_file, phantom_table.parent / "abnormal", "-o", out)
    assert outcome.code == 6
    assert outcome.err.startswith(f"atypia: {out}: ")
    assert (tmp_path / "taken").read_text() == "in the way"


def test_scans_that_are_not_there_are_code_2(atypia, nearest_file, tmp_path):
    outcome = atypia("score", nearest_file, tmp_path / "nowhere", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err.startswith(f"atypia: {tmp_path / 'nowhere'}: expected a folder of scans")
    assert not (tmp_path / "out").exists()
