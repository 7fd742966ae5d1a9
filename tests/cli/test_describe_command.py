"""`describe` writes a table that names the planes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from atypia.cli.main import commands
from atypia.datasets.phantom import phantom_image


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed in range(3):
        pixels = phantom_image(seed, sequence="T1", head=True).pixels
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{seed}.png")
    return folder


def test_the_table_names_planes_and_says_how_sure(scans: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(commands, ["describe", str(scans), "-o", str(tmp_path / "named.csv")])
    assert done.exit_code == 0, done.output
    assert "axial" in done.output
    with (tmp_path / "named.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [row["path"] for row in rows] == ["scans/0.png", "scans/1.png", "scans/2.png"]
    assert {row["plane"] for row in rows} <= {"axial", ""}
    assert all(0 < float(row["plane_confidence"]) <= 1 for row in rows)
    assert "sequence" not in rows[0]


def test_a_bad_scan_costs_its_row_and_the_exit_code(scans: Path, tmp_path: Path) -> None:
    (scans / "bad.png").write_bytes(b"nothing")
    done = CliRunner().invoke(commands, ["describe", str(scans), "-o", str(tmp_path / "named.csv")])
    assert done.exit_code == 1
    assert "bad.png" in done.output
    with (tmp_path / "named.csv").open() as text:
        bad = next(row for row in csv.DictReader(text) if row["path"].endswith("bad.png"))
    assert bad["plane_confidence"] == ""
