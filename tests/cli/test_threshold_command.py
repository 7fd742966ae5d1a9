from __future__ import annotations

import csv
import json
import shutil

import pytest

from atypia.screener import Screener


@pytest.fixture
def model(nearest_file, tmp_path):
    return shutil.copy(nearest_file, tmp_path / "brain.atypia")


def scores(model, atypia, table, out):
    assert atypia("score", model, table, "-o", out).code == 0
    with (out / "findings.csv").open(encoding="utf-8") as text:
        return [(row["name"], row["score"], row["p_value"]) for row in csv.DictReader(text)]


def test_without_options_the_threshold_and_what_can_be_promised_are_told(atypia, model):
    before = model.read_bytes()
    outcome = atypia("threshold", model)
    assert (outcome.code, outcome.err) == (0, "")
    assert "rule mean+std, 1: flags a score above" in outcome.out
    assert "No guarantee" in outcome.out
    assert "calibrated on 8 healthy scans of 8 groups" in outcome.out
    assert "false-alarm rates from 0.1112:" in outcome.out
    assert [line.split()[0] for line in outcome.out.splitlines() if line.startswith("   ")] == [
        "--fpr",
        "0.1112",
        "0.2",
    ]
    assert outcome.out.splitlines()[-1] == "Research use only. Not a medical device."
    assert model.read_bytes() == before


def test_another_rule_changes_no_score_and_no_p_value(atypia, model, phantom_table, tmp_path):
    new = tmp_path / "new" / "brain-20.atypia"
    outcome = atypia("threshold", model, "--rule", "conformal", "--fpr", 0.2, "-o", new)
    assert outcome.code == 0
    assert f"saved {new}" in outcome.out
    assert "Flags a healthy scan with a probability of at most 20 %" in outcome.out
    assert "of the 8 healthy scans of the calibration" in outcome.out
    saved = Screener.load(new)
    assert (saved.rule, saved.parameter) == ("conformal", 0.2)
    assert scores(new, atypia, phantom_table, tmp_path / "a") == scores(
        model, atypia, phantom_table, tmp_path / "b"
    )


def test_in_place_changes_the_file_and_back_again(atypia, model):
    before = model.read_bytes()
    assert atypia("threshold", model, "--q", 0.5, "--in-place").code == 0
    assert Screener.load(model).rule == "quantile"
    assert atypia("threshold", model, "--k", 1, "--in-place").code == 0
    assert model.read_bytes() == before


def test_what_would_change_is_told_and_nothing_is_saved(atypia, model):
    before = model.read_bytes()
    outcome = atypia("threshold", model, "--k", 2)
    assert "nothing was saved: add -o FILE or --in-place" in outcome.out
    assert "rule mean+std, 2" in outcome.out
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "rule", "parameter"),
    [
        (("--fpr", 0.2), "conformal", 0.2),
        (("--rule", "quantile", "--fpr", 0.2), "quantile", 0.8),
        (("--rule", "quantile"), "quantile", 0.95),
        (("--k", 3), "mean+std", 3.0),
    ],
)
def test_what_is_not_said_follows_from_what_is(atypia, model, words, rule, parameter):
    assert atypia("threshold", model, *words, "--in-place").code == 0
    threshold = Screener.load(model).threshold_
    assert (threshold.rule, threshold.parameter) == (rule, pytest.approx(parameter))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--k", 1, "--q", 0.5), "one of --fpr, --k and --q, received --k and --q"),
        (("--rule", "conformal", "--k", 1), "--k belongs to the rule mean+std, not to conformal"),
        (("--rule", "mean+std", "--fpr", 0.1), "--fpr belongs to the rule conformal, not to mean+std"),
        (("--fpr", 0.2, "--in-place", "-o", "b.atypia"), "expected one of them, received both"),
        (("--in-place",), "Expected what to change"),
        (("--fpr", 5), "between 0 and 1; received 5"),
        (("--fpr", 0.05), "at least 19 .* received 8 with 8 scans"),
        (("--fpr", 0.2, "--strata", "plane"), "Strata by plane: expected a plane .* received none"),
        (("--strata", "planes"), "expected none, or some of plane, sequence, scanner"),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_file_stays(atypia, model, words, told):
    before = model.read_bytes()
    outcome = atypia("threshold", model, *words)
    assert outcome.code == 2
    assert told.split(".*")[0].strip() in outcome.err
    assert told.split(".*")[-1].strip() in outcome.err
    assert model.read_bytes() == before


def test_a_file_that_is_no_screener_is_refused(atypia, tmp_path):
    file = tmp_path / "no.atypia"
    file.write_text("no Screener")
    assert atypia("threshold", file).code == 3


# At the fit.


@pytest.fixture(scope="module")
def planes(phantom_table, tmp_path_factory):
    """The phantom's table with more scans set aside, and with planes of which one is rare."""
    with phantom_table.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    table = tmp_path_factory.mktemp("planes") / "planes.csv"
    for place, row in enumerate(rows):
        row |= {name: str(phantom_table.parent / row[name]) for name in ("path", "mask") if row[name]}
        row["plane"] = "coronal" if place % 4 == 0 else "axial"
        if row["split"] == "test" and row["label"] == "normal":
            row["split"] = "threshold"
    with table.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


NEAREST = ("--detector", "nearest", "--encoder", "efficientnet-lite0", "--size", 64)


def test_fit_promises_a_rate_in_each_stratum_that_has_enough(atypia, planes, tmp_path):
    file = tmp_path / "brain.atypia"
    asked = ("--rule", "conformal", "--fpr", 0.15, "--strata", "plane")
    outcome = atypia("fit", planes, "-o", file, *NEAREST, *asked)
    assert outcome.code == 0, outcome.err
    assert "(conformal, 0.15)\n  plane=axial: " in outcome.out
    assert "at most 15 %" in outcome.out
    assert Screener.load(file).strata == ("plane",)
    assert atypia("score", file, planes, "-o", tmp_path).code == 0
    with (tmp_path / "findings.csv").open(encoding="utf-8") as text:
        found = {(row["stratum"], row["threshold"]) for row in csv.DictReader(text)}
    thresholds = dict(found)
    assert len(found) == len(thresholds) == 2
    assert "plane=axial" in thresholds
    assert any(name.startswith("pooled (plane=coronal has ") for name in thresholds)
    told = atypia("threshold", file, "--strata", "none")
    assert "plane=coronal: as all, for it has" in told.out.partition("after")[0]
    assert "plane=" not in told.out.partition("after")[2]


def test_too_few_scans_for_the_rate_are_told_before_anything_is_learned(atypia, planes, tmp_path):
    file = tmp_path / "brain.atypia"
    outcome = atypia("fit", planes, "-o", file, *NEAREST, "--rule", "conformal", "--fpr", 0.01)
    assert outcome.code == 2
    assert "needs at least 99 groups" in outcome.err
    assert "false-alarm rate of 0.0589 or more" in outcome.err
    assert not file.exists()


def test_a_rate_without_a_rule_that_knows_one_is_refused(atypia, planes, tmp_path):
    outcome = atypia("fit", planes, "-o", tmp_path / "brain.atypia", *NEAREST, "--fpr", 0.1)
    assert outcome.code == 2
    assert "Add --rule conformal" in outcome.err


@pytest.mark.usefixtures("without_drawing")
def test_strata_are_evaluated_together(atypia, planes, tmp_path):
    file = tmp_path / "brain.atypia"
    asked = ("--rule", "conformal", "--fpr", 0.15, "--strata", "plane")
    atypia("fit", planes, "-o", file, *NEAREST, *asked)
    outcome = atypia("evaluate", file, planes, "--split", "test", "-o", tmp_path / "report")
    assert outcome.code == 0, outcome.err
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert figures["image"]["threshold"] is None
