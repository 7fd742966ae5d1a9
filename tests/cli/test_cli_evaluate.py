from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from atypia.cli.evaluate import summary


def test_a_table_with_splits_is_tested_on_its_test_rows(atypia, nearest_file, phantom_table, tmp_path):
    outcome = atypia("evaluate", nearest_file, phantom_table, "-o", tmp_path, "--title", "A <test>")
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "8 normal and 8 abnormal scans"
    assert lines[1].startswith(f"AUROC {metrics['image']['auroc']:.3f} (")
    assert ", average precision " in lines[1]
    assert lines[2].startswith(f"best trivial baseline: {metrics['baselines']['best']}, AUROC ")
    assert lines[3].startswith("at the threshold: accuracy ")
    assert lines[4].startswith(f"pixels: AUROC {metrics['pixel']['auroc']:.3f}")
    assert lines[5].startswith("pixels: AUPRO ")
    assert lines[6:] == [f"report: {tmp_path / 'report.html'}", "Research use only. Not a medical device."]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A &lt;test&gt;" in page
    assert f"atypia evaluate nearest.atypia table.csv -o {tmp_path.name}" in page


@pytest.mark.usefixtures("without_drawing")
def test_two_folders_are_labelled_by_their_options(atypia, nearest_file, phantom_table, tmp_path):
    folder = phantom_table.parent
    words = ("--normal", folder / "healthy", "--abnormal", folder / "abnormal")
    outcome = atypia("evaluate", nearest_file, *words, "-o", tmp_path)
    assert outcome.code == 2
    assert "LEAKS: 32 of 48 test scans are files that this Screener learned from" in outcome.err
    assert "--allow-leak" in outcome.err
    outcome = atypia("evaluate", nearest_file, *words, "-o", tmp_path, "--allow-leak")
    assert outcome.code == 0
    assert outcome.out.startswith("LEAKS: 40 normal and 8 abnormal scans\nLEAKS: AUROC ")
    assert all(line.startswith("LEAKS: ") for line in outcome.out.splitlines()[:-2])
    names = (tmp_path / "findings.csv").read_text(encoding="utf-8")
    assert "normal/0000.png" in names
    assert "abnormal/0000.png" in names


@pytest.mark.usefixtures("without_drawing")
def test_what_needs_the_other_label_is_a_dash(atypia, nearest_file, phantom_table, tmp_path):
    """And figures of an earlier report, of another Screener, do not stay beside those of this one."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "roc.png").write_text("of an earlier report")
    words = ("evaluate", nearest_file, phantom_table, "--split", "threshold", "-o", tmp_path)
    assert atypia(*words).code == 2
    outcome = atypia(*words, "--allow-leak")
    assert outcome.code == 0
    assert "LEAKS: the rows of the split threshold" in outcome.err
    assert "All judged scans are normal" in outcome.err
    assert "AUROC –, average precision –" in outcome.out
    assert "sensitivity –" in outcome.out
    assert {path.name for path in (tmp_path / "figures").iterdir()} > {"confusion_matrix.png", "p_values.png"}
    assert not (tmp_path / "figures" / "roc.png").exists()


@pytest.mark.usefixtures("without_drawing")
def test_scans_that_cannot_be_judged_are_code_1(atypia, nearest_file, phantom_table, tmp_path):
    folder = tmp_path / "scans"
    shutil.copytree(phantom_table.parent / "abnormal", folder / "tumor")
    (folder / "healthy").mkdir()
    (folder / "healthy" / "a.png").write_text("no picture")
    outcome = atypia("evaluate", nearest_file, folder, "-o", tmp_path / "out")
    assert outcome.code == 1
    assert f"1 could not be judged: see {tmp_path / 'out' / 'findings.csv'}" in outcome.out


@pytest.mark.parametrize("words", [(), ("--normal", "a"), ("--abnormal", "a"), ("t.csv", "--normal", "a")])
def test_what_to_measure_on_must_be_said_in_one_way(atypia, nearest_file, tmp_path, words):
    outcome = atypia("evaluate", nearest_file, *words, "-o", tmp_path)
    assert outcome.code == 2
    assert "either a TABLE, or both --normal FOLDER and --abnormal FOLDER" in outcome.err


def test_scans_without_a_label_are_code_2(atypia, nearest_file, phantom_table, tmp_path):
    outcome = atypia("evaluate", nearest_file, phantom_table.parent / "healthy", "-o", tmp_path)
    assert outcome.code == 2
    assert "expected a label" in outcome.err


def test_the_summary_says_nothing_of_pixels_without_masks(evaluation, tmp_path):
    told = summary(evaluation, tmp_path)
    assert "pixels" not in told
    assert "nan" not in told


@pytest.fixture
def evaluation():
    from atypia.evaluation.evaluation import evaluate
    from atypia.reading.collection import Collection, Row
    from atypia.scan import Finding

    rows = tuple(Row(Path(name), name, label="normal") for name in ("a.png", "b.png"))
    findings = [
        Finding("a.png", 1.0, 0.5, False, 2.0),
        Finding("b.png", math.nan, math.nan, None, 2.0, error="x"),
    ]
    return evaluate(findings, Collection(rows, "made up"), heatmaps=False, baselines=False)


@pytest.mark.usefixtures("without_drawing")
def test_recorded_figures_stand_in_the_model_card(atypia, nearest_file, phantom_table, tmp_path):
    model = tmp_path / "m.atypia"
    model.write_bytes(nearest_file.read_bytes())
    before = atypia("card", model).out
    assert atypia("evaluate", model, phantom_table, "-o", tmp_path / "out").code == 0
    assert atypia("card", model).out == before
    assert "## Measured on table.csv" in (tmp_path / "out" / "model-card.md").read_text(encoding="utf-8")
    assert atypia("evaluate", model, phantom_table, "-o", tmp_path / "out", "--record").code == 0
    assert "## Measured on table.csv" in atypia("card", model).out
