from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from importlib.metadata import version

import pytest

from atypia.errors import BadTable
from atypia.evaluation.evaluation import evaluate
from atypia.reading.collection import Collection, Row, read_collection, write_collection
from atypia.screener import Screener
from atypia.study import (
    is_phantom,
    leak_note,
    make_card,
    read_study,
    read_two_folders,
    run_study,
    split_notes,
)


@pytest.fixture(scope="module")
def screener(nearest_file):
    return Screener.load(nearest_file)


@pytest.fixture
def rows(tmp_path):
    """A table in which patient p is learned from and tested on, and q is not."""

    def row(name, split, group, label="normal"):
        return Row(tmp_path / name, name, label=label, split=split, group=group)

    listed = (
        row("a", "train", "p"),
        row("b", "threshold", "r"),
        row("c", "test", "p"),
        row("d", "test", "q", "abnormal"),
        row("e", "test", None, "abnormal"),
        row("f", "tumor_test", "r", "abnormal"),
    )
    return Collection(listed, "table.csv")


def test_a_study_leaves_its_report_and_its_numbers(screener, phantom_table, tmp_path):
    study = read_study(phantom_table)
    evaluation = run_study(screener, study, tmp_path, title="Once", command="atypia evaluate")
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    with (tmp_path / "findings.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"findings.csv", "metrics.json", "report.html", "figures"}
    assert {"roc.png", "score_histograms.png"} < {path.name for path in (tmp_path / "figures").iterdir()}
    assert [row["name"] for row in found] == [row.name for row in study.scans]
    assert metrics["image"]["auroc"] == pytest.approx(evaluation.image.auroc)
    assert metrics["image"]["counts"] == {"normal": 8, "abnormal": 8, "unreadable": 0}
    assert metrics["pixel"]["dice"] == pytest.approx(evaluation.pixel.dice)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>Once</title>" in page
    assert "Synthetic data" in page
    assert "LEAKS" not in page


def test_the_same_scans_give_the_same_numbers(screener, phantom_table):
    scans = read_study(phantom_table).scans
    first, second = (evaluate(screener.score(scans), scans).to_dict() for _ in range(2))
    assert first == second


def test_test_rows_are_the_default_where_there_are_splits(phantom_table):
    study = read_study(phantom_table)
    assert {row.split for row in study.scans} == {"test"}
    assert len(study.scans) == 16
    assert study.notes == ()


def test_all_rows_are_taken_where_there_are_none(phantom_table):
    study = read_study(phantom_table.parent)
    assert len(study.scans) == 48
    assert study.synthetic


def test_a_split_that_is_not_there_is_refused_with_those_that_are(phantom_table):
    with pytest.raises(BadTable, match=r"split is validation, received only test, threshold, train"):
        read_study(phantom_table, split="validation")


def test_root_is_where_paths_start(phantom_table, tmp_path):
    moved = shutil.copy(phantom_table, tmp_path / "elsewhere.csv")
    study = read_study(moved, root=phantom_table.parent)
    assert all(row.path.is_file() for row in study.scans)


def test_two_folders_get_their_labels_and_names_that_differ(phantom_table):
    folder = phantom_table.parent
    study = read_two_folders(folder / "healthy", folder / "abnormal")
    assert len(study.scans.select(label="normal")) == 40
    assert len(study.scans.select(label="abnormal")) == 8
    assert len({row.name for row in study.scans}) == 48
    assert all(row.mask for row in study.scans.select(label="abnormal"))
    assert study.scans.source == f"{folder / 'healthy'}, {folder / 'abnormal'}"


def test_a_group_on_both_sides_is_a_leak(rows):
    assert leak_note(rows).startswith("LEAKS: 2 of 4 test scans belong to a group")
    assert leak_note(rows, ("test",)).startswith("LEAKS: 1 of 3 test scans")
    assert leak_note(rows.select(split="test")) is None


def test_unknown_groups_are_no_leak(rows):
    bare = Collection(tuple(Row(r.path, r.name, r.label, r.split) for r in rows), rows.source)
    assert leak_note(bare) is None


def test_figures_on_what_was_learned_from_are_marked(rows):
    (note,) = split_notes(rows, "train")
    assert note.startswith("LEAKS: the rows of the split train")
    (note,) = split_notes(rows, "test")
    assert note.startswith("LEAKS: 1 of 3")
    assert not list(split_notes(rows, "validation"))


def test_a_leak_stands_in_the_report(screener, phantom_table, tmp_path):
    """All scans are of one patient."""
    rows = (replace(row, group="one patient") for row in read_collection(phantom_table))
    write_collection(Collection(tuple(rows), "one patient"), tmp_path / "table.csv")
    study = read_study(tmp_path / "table.csv")
    run_study(screener, study, tmp_path / "out")
    assert "LEAKS: 16 of 16 test scans" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_phantom_is_known_by_its_groups_or_its_folder(phantom_table, rows, tmp_path):
    assert is_phantom(read_collection(phantom_table))
    assert is_phantom(read_collection(phantom_table.parent / "healthy"))
    assert not is_phantom(rows)
    (tmp_path.parent / "README.txt").write_text("Real data")
    assert not is_phantom(rows)


def test_the_card_tells_where_the_screener_comes_from(screener, phantom_table):
    study = read_study(phantom_table)
    card = make_card(screener, study, "atypia evaluate")
    assert (card.detector, card.encoder) == ("nearest", "efficientnet-lite0 (stage8, stage16)")
    assert card.parameters["Threshold"]["value"] == screener.threshold_.value
    assert card.parameters["Detector"]["neighbours"] == 5
    assert "history" not in card.parameters["Detector"]
    assert card.data["healthy scans learned from"] == 24
    assert card.data["normal scans judged"] == card.data["abnormal scans judged"] == 8
    assert card.versions["atypia"] == version("atypia")
    assert {"numpy", "onnxruntime"} <= set(card.versions)
    assert (card.command, card.synthetic, card.history) == ("atypia evaluate", True, ())
    assert len(card.calibration) == 8
