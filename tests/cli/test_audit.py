from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from atypia.reading.collection import read_collection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """12 healthy pictures, two of them twice, and 12 ill ones of another size; none like another."""
    place = tmp_path_factory.mktemp("set")
    for label, size in (("healthy", 96), ("tumor", 120)):
        (place / label).mkdir()
        rng = np.random.default_rng(size)
        rows, columns = (np.mgrid[:size, :size] + 0.5) / size - 0.5
        inside = (rows / 0.45) ** 2 + (columns / 0.38) ** 2 < 1
        heads = [
            inside * (120 + 12 * size * gaussian_filter(rng.normal(size=(size, size)), size / 14))
            for _ in range(12)
        ]
        for n, pixels in enumerate([*heads, *(heads[:2] if label == "healthy" else [])]):
            picture = np.clip(pixels, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(place / label / f"{n:02}.png")
    return place


def test_verdicts_are_printed_the_gravest_first(atypia, folder, tmp_path):
    outcome = atypia("audit", folder, "-o", tmp_path / "out", "--skip", "strangers")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith(
        "invalid  The classes can be told apart without looking at the brain: AUROC 1.0"
    )
    assert "warning  26 images are only 24 distinct ones: 7.7 % are copies." in lines
    assert lines[-2:] == [
        f"page: {tmp_path / 'out' / 'audit.html'}",
        "Research use only. Not a medical device.",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit.html", "audit.json"]


def test_strict_gives_code_1_where_figures_would_not_hold(atypia, folder, tmp_path):
    words = ("audit", folder, "-o", tmp_path, "--skip", "strangers", "--skip", "copies")
    assert atypia(*words, "--strict").code == 1
    assert atypia("audit", folder / "healthy", "-o", tmp_path, "--skip", "strangers", "--strict").code == 0


def test_a_cleaned_table_is_written_and_read_back(atypia, folder, tmp_path):
    table = tmp_path / "tables" / "clean.csv"
    outcome = atypia("audit", folder, "-o", tmp_path / "out", "--write-clean", table, "--drop-strangers")
    assert outcome.code == 0
    assert f"cleaned table: {table}" in outcome.out
    assert "left out: 2 copies" in outcome.out
    rows = read_collection(table)
    assert {row.split for row in rows} >= {"train", "threshold", "test"}
    assert all(row.path.is_file() for row in rows)
    again = atypia("audit", table, "-o", tmp_path / "again", "--skip", "strangers", "--skip", "shortcuts")
    assert "good     No copy and no group stands in two splits that must differ." in again.out.splitlines()


def test_a_bad_file_is_told_by_code_1(atypia, folder, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"")
    (tmp_path / "set" / "b.png").write_bytes((folder / "tumor" / "00.png").read_bytes())
    outcome = atypia("audit", tmp_path / "set", "-o", tmp_path / "out")
    assert outcome.code == 1
    told = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in told["unreadable"]] == ["a.png"]


def test_a_set_of_bad_files_gives_a_page_and_no_table(atypia, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"")
    outcome = atypia(
        "audit", tmp_path / "set", "-o", tmp_path / "out", "--write-clean", tmp_path / "clean.csv"
    )
    assert outcome.code == 1
    assert "no image is left" in outcome.err
    assert not (tmp_path / "clean.csv").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--drop-strangers",), "expected --write-clean FILE beside it"),
        (("--drop-strangers", "--write-clean", "x.csv", "--skip", "strangers"), "received --skip strangers"),
        (("--root", "nowhere"), "expected the folder that a table's paths start from"),
    ],
)
def test_options_that_make_no_sense_are_code_2(atypia, folder, tmp_path, words, told):
    outcome = atypia("audit", folder, "-o", tmp_path / "out", *words)
    assert outcome.code == 2
    assert told in outcome.err
    assert not (tmp_path / "out").exists()
