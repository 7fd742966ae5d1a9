from __future__ import annotations

import csv

import pytest

PRETRAINED = ("--pretrained", "synthetic")


@pytest.fixture(scope="module")
def scored(atypia, phantom_table, tmp_path_factory):
    out = tmp_path_factory.mktemp("scored")
    return out, atypia("score", *PRETRAINED, phantom_table.parent / "abnormal", "-o", out)


def test_scans_are_judged_before_any_healthy_one_was_collected(scored):
    out, outcome = scored
    assert outcome.code == 0, outcome.err
    rows = list(csv.DictReader((out / "findings.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert all(row["verdict"] in ("normal", "abnormal") and float(row["score"]) > 0 for row in rows)
    assert "8 scans judged" in outcome.out


def test_it_says_that_the_threshold_promises_nothing_and_how_to_set_it(scored):
    assert "promises nothing on your scans" in scored[1].err
    assert "atypia fit HEALTHY --detector pretrained-synthetic -o brain.atypia" in scored[1].err


def test_a_screener_of_ones_own_hears_nothing_of_that(atypia, nearest_file, phantom_table, tmp_path):
    outcome = atypia("score", nearest_file, phantom_table.parent / "abnormal", "-o", tmp_path / "out")
    assert "synthetic" not in outcome.err


@pytest.mark.usefixtures("without_drawing")
def test_it_is_measured_on_labelled_scans(atypia, phantom_table, tmp_path):
    outcome = atypia("evaluate", *PRETRAINED, phantom_table, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "8 normal and 8 abnormal scans" in outcome.out


def test_its_threshold_is_set_on_healthy_scans(atypia, phantom_table, tmp_path):
    file = tmp_path / "mine.atypia"
    told = atypia("fit", phantom_table, "-o", file, "--detector", "pretrained-synthetic")
    assert told.code == 0, told.err
    assert "calibration_scans       8" in atypia("info", file).out


def test_info_shows_its_card_and_what_it_is(atypia):
    outcome = atypia("info", *PRETRAINED)
    assert outcome.code == 0
    assert "What it misses" in outcome.out
    assert "pretrained-synthetic" in outcome.out
    assert atypia("info", *PRETRAINED, "--json").out.startswith("{")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("score", "-o", "out"), "Expected the file of a Screener"),
        (("score", "brain.atypia", "-o", "out"), "Expected scans to judge"),
        (("score", *PRETRAINED, "-o", "out"), "Expected scans to judge"),
        (("score", *PRETRAINED, "brain.atypia", "scans", "-o", "out"), "received both"),
        (("evaluate", "-o", "out"), "Expected the file of a Screener"),
        (("evaluate", *PRETRAINED, "a.csv", "b.csv", "-o", "out"), "Expected one TABLE"),
        (("evaluate", *PRETRAINED, "a.csv", "-o", "out", "--record"), "--record writes into"),
        (("info",), "Expected the file of a Screener"),
        (("info", *PRETRAINED, "other"), "received both"),
        (("score", "--pretrained", "other", "scans", "-o", "out"), "'other' is not"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(atypia, words, told):
    outcome = atypia(*words)
    assert outcome.code == 2
    assert told in outcome.err
