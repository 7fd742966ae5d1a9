from __future__ import annotations

import re

import pytest

from atypia import demo
from atypia.screener import Screener


@pytest.fixture
def without_keras(monkeypatch):
    monkeypatch.setattr(demo, "available", lambda: False)


@pytest.mark.slow
def test_the_demonstration_goes_from_nothing_to_two_reports(atypia, tmp_path):
    out = tmp_path / "new" / "demo"
    outcome = atypia("demo", "-o", out, "--healthy", 40, "--abnormal", 4, "--epochs", 1)
    assert outcome.code == 0, outcome.err
    assert [line[:2] for line in outcome.err.splitlines() if line[0].isdigit()] == ["1.", "2.", "3."]
    for name in ("nearest", "autoencoder"):
        assert (out / f"{name}.atypia").exists()
        page = (out / name / "report.html").read_text(encoding="utf-8")
        assert "Synthetic data" in page
        assert "Research use only" in page
        assert "atypia demo -o demo --healthy 40 --abnormal 4 --epochs 1" in page
        assert re.search(rf"^{name} +image AUROC \d\.\d{{3}}, pixel AUROC", outcome.out, re.MULTILINE)
        assert f"  {(out / name / 'report.html').resolve()}\n" in outcome.out
    assert Screener.load(out / "autoencoder.atypia").detector.name == "autoencoder"
    last = outcome.out.splitlines()[-2:]
    assert [line.split()[:2] for line in last] == [["atypia", "fit"], ["atypia", "score"]]


@pytest.mark.usefixtures("without_keras", "without_drawing")
def test_without_keras_the_autoencoder_is_left_out_and_that_is_said(atypia, tmp_path):
    outcome = atypia("demo", "-o", tmp_path, "--healthy", 41, "--abnormal", 3)
    assert outcome.code == 0, outcome.err
    assert 'The autoencoder was left out: it needs pip install "atypia[train]".' in outcome.out
    assert "of 3 tumours found" in outcome.out
    assert {path.name for path in tmp_path.iterdir()} == {"phantom", "nearest", "nearest.atypia"}
    assert f"atypia score {tmp_path / 'nearest'}.atypia {tmp_path / 'phantom' / 'abnormal'}" in outcome.out


def test_an_earlier_demonstration_of_other_numbers_makes_room(tmp_path):
    demo._render(tmp_path, healthy=3, abnormal=2, seed=0)
    table = demo._render(tmp_path, healthy=2, abnormal=1, seed=1)
    assert len(table) == 3
    assert len(list((tmp_path / "healthy").iterdir())) == 2
    assert len(list((tmp_path / "masks").iterdir())) == 1


@pytest.mark.usefixtures("without_keras")
def test_pictures_that_are_not_the_phantoms_are_not_touched(atypia, tmp_path):
    mine = tmp_path / "phantom" / "healthy" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    outcome = atypia("demo", "-o", tmp_path, "--healthy", 40, "--abnormal", 1)
    assert outcome.code == 2
    assert "expected an empty folder, or this very phantom, received mine.png" in outcome.err
    assert mine.read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_code_6(atypia, tmp_path):
    (tmp_path / "taken").write_text("in the way")
    assert atypia("demo", "-o", tmp_path / "taken").code == 6
