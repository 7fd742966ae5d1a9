from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atypia.detectors import Nearest
from atypia.errors import BadOption, OutputError
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, Row
from atypia.screener import Screener
from atypia.screening import score_to_folder


@pytest.fixture(scope="module")
def table(draw_heads, tmp_path_factory) -> Collection:
    """Twenty-two healthy heads, then one with a lesion, one that is no picture and one that is not there."""
    root = tmp_path_factory.mktemp("scans")
    pixels, _ = draw_heads(22)
    ill, _ = draw_heads(1, seed=4, lesion=0.6)
    rows = []
    for n, head in enumerate([*pixels, *ill]):
        path = root / f"{n:02}.png"
        Image.fromarray(np.uint8(255 * head)[: 64 - n % 3]).save(path)
        rows.append(Row(path, f"sub/{n:02}.png"))
    (root / "text.png").write_text("no picture")
    rows += [Row(root / "text.png", "text.png"), Row(root / "none.png", "none.png")]
    return Collection(tuple(rows), str(root))


@pytest.fixture(scope="module")
def screener(table) -> Screener:
    detector = Nearest("efficientnet-lite0", components=8, threads=1)
    healthy = replace(table, rows=table.rows[:22])
    return Screener(detector, Preparation(size=64), rule="quantile", parameter=0.9).fit(healthy)


def test_every_scan_has_its_row_and_the_tally_adds_up(screener, table, tmp_path):
    tally = score_to_folder(screener, table, tmp_path / "out")
    assert tally.table == tmp_path / "out" / "findings.csv"
    with tally.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [row.name for row in table]
    assert (tally.judged, tally.unreadable) == (23, 2)
    assert tally.flagged == sum(row["verdict"] == "abnormal" for row in rows)
    assert rows[22]["verdict"] == "abnormal"
    assert [row["verdict"] for row in rows[23:]] == ["unreadable", "unreadable"]
    assert all("expected" in row["error"] for row in rows[23:])
    for row, finding in zip(rows[:23], screener.score(table), strict=False):
        assert float(row["score"]) == pytest.approx(finding.score)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["findings.csv", "regions.csv"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_the_table_may_be_of_other_kinds(screener, table, tmp_path, kind):
    tally = score_to_folder(screener, replace(table, rows=table.rows[20:]), tmp_path, kind)
    assert tally.table.name == f"findings.{kind}"
    if kind == "jsonl":
        lines = [json.loads(line) for line in tally.table.read_text().splitlines()]
        assert [line["verdict"] == "unreadable" for line in lines] == [False, False, False, True, True]


def test_a_kind_that_is_unknown_is_refused(screener, table, tmp_path):
    with pytest.raises(BadOption, match="xlsx"):
        score_to_folder(screener, table, tmp_path, "xlsx")


def test_heat_maps_are_pictures_of_the_scan_s_own_size(screener, table, tmp_path):
    score_to_folder(screener, replace(table, rows=table.rows[18:]), tmp_path, heatmaps=True)
    pictures = sorted((tmp_path / "heatmaps").iterdir())
    assert len(pictures) == 5
    for path, row in zip(pictures, table.rows[18:23], strict=True):
        with Image.open(path) as picture, Image.open(row.path) as scan:
            assert picture.size == scan.size
            assert picture.mode == "RGB"
        assert path.name.startswith(row.name.removesuffix(".png").replace("/", "_"))


def test_different_scans_never_share_a_picture_and_no_name_leaves_the_folder(screener, table, tmp_path):
    names = [
        "a/b.png",
        "a_b.png",
        "a b.png",
        "../../b.png",
        "/etc/b.png",
        "A/B.png",
        "é/ß.png",
        "x" * 300,
        "..",
        "\x00",
    ]
    rows = tuple(replace(table.rows[0], name=name) for name in names)
    score_to_folder(screener, Collection(rows, "odd"), tmp_path / "out", heatmaps=True)
    pictures = [path.name for path in (tmp_path / "out" / "heatmaps").iterdir()]
    assert len({name.lower() for name in pictures}) == len(names)
    assert all(len(name.encode()) < 255 and name.endswith(".png") for name in pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_place_that_cannot_be_written_is_told(screener, table, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="could not be written"):
        score_to_folder(screener, table, tmp_path / "out")


def test_nothing_at_all_is_an_empty_table(screener, tmp_path):
    tally = score_to_folder(screener, Collection((), "nothing"), tmp_path)
    assert (tally.judged, tally.flagged, tally.unreadable) == (0, 0, 0)
    assert len(Path(tally.table).read_text().splitlines()) == 1


def test_regions_are_counted_written_and_the_same_after_loading(screener, table, tmp_path):
    screener.save(tmp_path / "saved.atypia")
    again = Screener.load(tmp_path / "saved.atypia")
    few = replace(table, rows=table.rows[12:])
    tallies = [
        score_to_folder(one, few, tmp_path / str(n), "jsonl") for n, one in enumerate((screener, again))
    ]
    texts = [tally.regions_table.read_bytes() for tally in tallies]
    assert texts[0] == texts[1]
    rows = [json.loads(line) for line in texts[0].decode().splitlines()]
    findings = [json.loads(line) for line in tallies[0].table.read_text().splitlines()]
    assert len(rows) == tallies[0].regions == sum(finding["regions"] for finding in findings)
    assert all(row["p_value"] <= 0.1 for row in rows)
    assert {row["scan"] for row in rows} <= {row.name for row in few}
