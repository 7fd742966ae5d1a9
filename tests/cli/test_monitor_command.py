from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from atypia.scan import Finding
from atypia.threshold import Threshold
from atypia.writing.table import FindingsWriter


@pytest.fixture
def tables(tmp_path, rng):
    """Three days of scores, of which the last is higher."""
    threshold = Threshold.learn(rng.normal(size=120))
    found = []
    for day, shift in (("monday", 0.0), ("tuesday", 0.0), ("wednesday", 2.0)):
        found.append(tmp_path / f"{day}.csv")
        with FindingsWriter(found[-1]) as writer:
            for place, score in enumerate(rng.normal(shift, size=200)):
                p_value = float(threshold.p_values(score))
                writer.write(Finding(f"{day}/{place}.png", score, p_value, False, 2.0))
    return found


def test_drift_is_told_with_its_scan_and_drawn(atypia, tables, tmp_path):
    out = tmp_path / "drift"
    outcome = atypia("monitor", *tables, "--prevalence", 0, "-o", out, "--strict")
    assert outcome.code == 1
    assert re.search(
        r"all scans: recalibration is due at wednesday/\d+.png \(scan \d+ of wednesday.csv\)", outcome.out
    )
    assert "scores run higher than at calibration" in outcome.out
    assert "600, calibrated on 120" in outcome.out
    assert outcome.out.splitlines()[-1] == "Research use only. Not a medical device."
    numbers = json.loads((out / "monitor.json").read_text(encoding="utf-8"))
    assert numbers["recalibration_due"] is True
    assert "Research use only" in numbers["notice"]
    page = (out / "monitor.html").read_text(encoding="utf-8")
    assert "Recalibration is due" in page
    assert "Research use only" in page
    assert not re.search(r"""(src|href)=["']?(https?:|//)|<script""", page)
    with Image.open(out / "figures" / "drift_00.png") as picture:
        assert picture.info["Disclaimer"].startswith("Research use only")


def test_scans_that_became_unfit_are_told_where_the_screener_is_known(atypia, nearest_file, tmp_path, rng):
    table = tmp_path / "thursday.csv"
    with FindingsWriter(table) as writer:
        for place in range(200):
            unfit = None if place % 40 == 0 else "far noisier than what was learned from"
            writer.write(Finding(f"thursday/{place}.png", 0.0, float(rng.random()), False, 2.0, unfit=unfit))
    outcome = atypia("monitor", table, "--model", nearest_file, "-o", tmp_path / "drift", "--strict")
    assert outcome.code == 1
    assert "fitting anew is due at thursday/" in outcome.out
    page = (tmp_path / "drift" / "monitor.html").read_text(encoding="utf-8")
    assert "fitting anew is due at thursday/" in page
    assert "Recalibration is due" in page
    assert atypia("monitor", table, "--strict").code == 0


def test_no_drift_is_told_too(atypia, tables):
    outcome = atypia("monitor", *tables[:2], "--strict")
    assert (outcome.code, outcome.err) == (0, "")
    assert "the p-values are as calibration promised" in outcome.out


def test_without_strict_the_exit_code_is_that_of_success(atypia, tables):
    assert atypia("monitor", *tables).code == 0


def test_figures_of_an_earlier_page_go(atypia, tables, tmp_path):
    old = tmp_path / "drift" / "figures" / "drift_07.png"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    assert atypia("monitor", tables[0], "-o", tmp_path / "drift").code == 0
    assert not old.exists()


def test_the_screener_knows_how_many_calibrated_it(atypia, nearest_file, phantom_table, tmp_path):
    assert atypia("score", nearest_file, phantom_table, "-o", tmp_path).code == 0
    outcome = atypia("monitor", tmp_path / "findings.csv", "--model", nearest_file, "--window", 10)
    assert outcome.code == 0
    assert "48, calibrated on 8" in outcome.out


def test_another_screener_than_the_one_that_scored_is_refused(atypia, nearest_file, tmp_path):
    with FindingsWriter(tmp_path / "findings.csv") as writer:
        writer.write(Finding("a.png", 1.0, 0.5, False, 2.0, stratum="plane=axial"))
    outcome = atypia("monitor", tmp_path / "findings.csv", "--model", nearest_file)
    assert outcome.code == 2
    assert "without a threshold for the stratum 'plane=axial'" in outcome.err


def test_of_each_group_one_scan_is_tested(atypia, tables, tmp_path):
    table = tmp_path / "table.csv"
    lines = [f"monday/{place}.png,patient {place // 10}" for place in range(200)]
    table.write_text("\n".join(["path,group", *lines]), encoding="utf-8")
    outcome = atypia("monitor", tables[0], "--groups", table)
    assert "20 p-values of 200 scans, 180 of a group again" in outcome.out


def test_a_table_without_groups_is_refused(atypia, tables, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("path\nmonday/1.png\n", encoding="utf-8")
    outcome = atypia("monitor", tables[0], "--groups", table)
    assert outcome.code == 2
    assert "expected a column group" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--prevalence", 1.5), "prevalence from 0 to below 1"), (("--risk", 0), "risk between 0 and 1")],
)
def test_what_makes_no_sense_is_refused(atypia, tables, words, told):
    outcome = atypia("monitor", tables[0], *words)
    assert outcome.code == 2
    assert told in outcome.err


def test_names_on_the_page_are_only_text(atypia, tmp_path):
    with FindingsWriter(tmp_path / "findings.jsonl") as writer:
        for place in range(200):
            writer.write(Finding(f"<script>{place}</script>", 9.0, 1 / 121, True, 2.0))
    outcome = atypia("monitor", tmp_path / "findings.jsonl", "--prevalence", 0, "-o", tmp_path / "drift")
    assert "recalibration is due" in outcome.out
    page = (tmp_path / "drift" / "monitor.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_numbers_are_finite_whatever_the_stream(atypia, tmp_path):
    with FindingsWriter(tmp_path / "findings.csv") as writer:
        writer.write(Finding("a.png", 1.0, 1.0, False, 2.0))
        writer.write(Finding("b.png", np.nan, np.nan, None, 2.0, error="bad"))
    outcome = atypia("monitor", tmp_path / "findings.csv", "-o", tmp_path / "drift")
    assert outcome.code == 0
    assert "1 p-value of 2 scans, 1 could not be judged" in outcome.out
