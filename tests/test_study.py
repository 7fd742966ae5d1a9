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
from atypia.report.pictures import PictureScale
from atypia.report.plates import case_plates, verdict_plates
from atypia.screener import Screener
from atypia.study import (
    Study,
    is_phantom,
    make_card,
    promised_rate,
    read_study,
    read_two_folders,
    run_study,
    study_of,
)
from atypia.threshold import Threshold


@pytest.fixture(scope="module")
def screener(nearest_file):
    return Screener.load(nearest_file)


@pytest.mark.usefixtures("without_drawing")
def test_a_study_leaves_its_report_and_its_numbers(screener, phantom_table, tmp_path):
    study = read_study(phantom_table)
    evaluation = run_study(screener, study, tmp_path, title="Once", command="atypia evaluate")
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    with (tmp_path / "findings.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"findings.csv", "metrics.json", "report.html", "figures", "model-card.md"}
    assert {"roc.png", "score_histograms.png"} < {path.name for path in (tmp_path / "figures").iterdir()}
    assert [row["name"] for row in found] == [row.name for row in study.scans]
    assert metrics["image"]["auroc"] == pytest.approx(evaluation.image.auroc)
    assert metrics["image"]["counts"] == {"normal": 8, "abnormal": 8, "unreadable": 0, "unfit": 0}
    assert (metrics["leaks"], metrics["leak_details"]) == (False, [])
    assert metrics["resampling"]["resamples"] == 2000
    assert metrics["baselines"]["best"] in metrics["baselines"]["of"]
    assert metrics["p_values"]["counts"]["calibration_groups"] == 8
    assert metrics["pixel"]["dice"] == pytest.approx(evaluation.pixel.dice)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>Once</title>" in page
    assert "Synthetic data" in page
    assert "LEAKS" not in page


def test_the_same_scans_give_the_same_numbers(screener, phantom_table):
    scans = read_study(phantom_table).scans
    first, second = (evaluate(screener.score(scans), scans, resamples=50).to_dict() for _ in range(2))
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


@pytest.fixture
def without_figures(monkeypatch):
    """Leave the drawing out, which takes most of the time."""
    names = ("verdicts", "promises", "places", "training", "reconstructions", "cases")
    monkeypatch.setattr("atypia.report.report._sections", lambda *_: {name: [] for name in names})


def one_patient(phantom_table, folder):
    """Write the table again with all scans in one group, and return it."""
    rows = (replace(row, group="one patient") for row in read_collection(phantom_table))
    write_collection(Collection(tuple(rows), "one patient"), folder / "table.csv")
    return folder / "table.csv"


def test_a_split_that_leaks_is_refused_with_what_to_do(phantom_table, tmp_path):
    table = one_patient(phantom_table, tmp_path)
    with pytest.raises(BadTable, match=r"LEAKS: 16 of 16 test scans .*atypia split.*--allow-leak"):
        read_study(table)
    assert read_study(table, allow_leak=True).leaks


def test_a_split_that_was_learned_from_is_refused(phantom_table):
    with pytest.raises(BadTable, match="LEAKS: the rows of the split threshold"):
        read_study(phantom_table, split="threshold")
    (note,) = read_study(phantom_table, split="threshold", allow_leak=True).leaks
    assert note.startswith("LEAKS")


@pytest.mark.usefixtures("without_figures")
def test_a_leak_that_is_allowed_stands_everywhere(screener, phantom_table, tmp_path):
    study = read_study(one_patient(phantom_table, tmp_path), allow_leak=True)
    evaluation = run_study(screener, study, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert evaluation.leaks[0].startswith("LEAKS: 16 of 16 test scans")
    assert metrics["leaks"] is True
    assert metrics["leak_details"] == list(evaluation.leaks)
    assert page.index("LEAKS: 16 of 16 test scans") < page.index("<h1>")
    figures = page.count('<span class="mark">LEAKS</span>')
    assert figures >= 4 + 8 + 8  # tiles, image figures, baselines


@pytest.mark.usefixtures("without_drawing")
def test_pictures_that_may_leave_the_page_are_marked(screener, phantom_table):
    scans = read_study(phantom_table).scans
    kept = evaluate(screener.score(scans), scans, resamples=0, baselines=False, leaks=("LEAKS: all",))
    card = make_card(screener, study_of(scans))
    plates = [*verdict_plates(kept, card), *case_plates(kept, PictureScale.over(kept.cases.all()))]
    assert len(plates) == 8
    assert all(plate.title.startswith("LEAKS: ") for plate in plates)


@pytest.mark.usefixtures("without_figures")
def test_files_that_were_learned_from_are_refused_whatever_they_are_called(screener, phantom_table, tmp_path):
    """A folder has no splits, and a copy under another name is the same picture."""
    learned = read_collection(phantom_table).select(split="train").rows[0]
    (tmp_path / "healthy").mkdir()
    shutil.copy(learned.path, tmp_path / "healthy" / "new.png")
    rows = read_collection(tmp_path / "healthy").rows + read_study(phantom_table).scans.rows
    scans = Collection(tuple(replace(row, group=f"g{place}") for place, row in enumerate(rows)), "mixed")
    with pytest.raises(BadTable, match=r"LEAKS: 1 of 17 test scans are files that this Screener learned"):
        run_study(screener, study_of(scans), tmp_path / "out")
    assert not (tmp_path / "out" / "report.html").exists()
    evaluation = run_study(screener, Study(scans, allow_leak=True), tmp_path / "out")
    assert evaluation.leaks[0].startswith("LEAKS: 1 of 17")


@pytest.mark.usefixtures("without_figures")
def test_a_study_that_is_marked_as_leaking_is_not_refused(screener, phantom_table, tmp_path):
    scans = read_collection(phantom_table).select(split="threshold")
    evaluation = run_study(screener, study_of(scans, "LEAKS: on purpose"), tmp_path)
    assert evaluation.leaks[0].startswith("LEAKS: 8 of 8 test scans are files")
    assert evaluation.leaks[1] == "LEAKS: on purpose"


def test_a_table_without_groups_gets_clusters_and_a_note(phantom_table, tmp_path):
    rows = tuple(replace(row, group=None) for row in read_collection(phantom_table))
    write_collection(Collection(rows, "bare"), tmp_path / "table.csv", root=phantom_table.parent)
    study = read_study(tmp_path / "table.csv", root=phantom_table.parent)
    assert study.clustered
    assert study.notes[0].startswith("No group is known of 48 of 48 scans: no near-copies. Patients are not")
    assert study.leaks == ()


def test_copies_on_both_sides_of_a_table_without_groups_are_a_leak(phantom_table, tmp_path):
    rows = read_collection(phantom_table).rows
    twin, tested = next(r for r in rows if r.split == "train"), next(r for r in rows if r.split == "test")
    shutil.copy(twin.path, tmp_path / "twin.png")
    rows = [replace(row, group=None) for row in rows if row.name != tested.name]
    rows.append(replace(tested, path=tmp_path / "twin.png", name="twin.png", group=None))
    write_collection(Collection(tuple(rows), "bare"), tmp_path / "table.csv")
    with pytest.raises(BadTable, match=r"LEAKS: 1 of 16 test scans"):
        read_study(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("rule", "parameter", "rate"), [("conformal", 0.2, 0.2), ("quantile", 0.9, 0.1), ("mean+std", 1.0, None)]
)
def test_the_rate_that_a_rule_is_set_for(rule, parameter, rate):
    promised = promised_rate(Threshold.learn(range(30), rule, parameter))
    assert promised == (rate if rate is None else pytest.approx(rate))
    assert promised_rate(None) is None


def test_the_phantom_is_known_by_its_groups_or_its_folder(phantom_table, tmp_path):
    assert is_phantom(read_collection(phantom_table))
    assert is_phantom(read_collection(phantom_table.parent / "healthy"))
    rows = [Row(tmp_path / "a", "a", group="p")]
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
