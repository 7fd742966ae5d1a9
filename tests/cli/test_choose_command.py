from __future__ import annotations

import json

import pytest

from atypia.cli import choose as command
from atypia.cli.choice import TRAINED
from atypia.comparison import CRITERIA, running
from atypia.detectors import DETECTORS
from atypia.screener import Screener

SMALL = ("--size", 64, "--no-cluster", "--aside", 0.3)


@pytest.fixture
def here(monkeypatch):
    """Run each candidate in this process."""
    monkeypatch.setattr(running, "_in_own_process", lambda task: running._run(task) or 0)


@pytest.mark.usefixtures("here", "without_drawing")
def test_the_winner_is_saved_with_its_threshold(atypia, phantom_table, tmp_path):
    out = tmp_path / "brain.atypia"
    words = ("--try", "intensity percent=90", "--try", "intensity", "--rule", "conformal", "--fpr", 0.2)
    outcome = atypia("choose", phantom_table, "-o", out, *SMALL, *words)
    assert outcome.code == 0, outcome.err
    assert "8 abnormal scans are not used" in outcome.err
    values = json.loads((tmp_path / "brain-choice" / "choice.json").read_text())
    assert {one["name"] for one in values["candidates"]} == {"intensity", "intensity-percent=90"}
    screener = Screener.load(out)
    assert screener.detector.percent == (90 if "percent" in values["chosen"] else 98)
    assert (screener.rule, screener.parameter) == ("conformal", 0.2)
    assert screener.fitness_ is not None
    assert f"{values['chosen']} is chosen" in outcome.out
    assert f"saved {out}" in outcome.out
    assert outcome.out.splitlines()[-1] == "Research use only. Not a medical device."
    card = atypia("card", out)
    assert "Chosen among 2 candidates" in card.out
    assert atypia("evaluate", out, phantom_table, "-o", tmp_path / "measured").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--try", "intensity smooth=1"), "--try 'intensity smooth=1': expected NAME=VALUE"),
        (("--try", "atlas", "--try", "atlas"), "are one"),
        (("--detectors", "nobody"), "--detectors: expected different names"),
        (("--detectors", "atlas", "--fpr", 0.1), "mean+std knows no false-alarm rate"),
        (("--detectors", "atlas", "--aside", 0.01), "Give more, or a larger share with --aside"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(atypia, phantom_table, tmp_path, words, told):
    out = tmp_path / "b.atypia"
    outcome = atypia("choose", phantom_table, "-o", out, "--no-cluster", *words)
    assert outcome.code == 2
    assert told in outcome.err
    assert not out.exists()
    assert not list(tmp_path.rglob("outcome.json"))


def test_the_usual_candidates_are_there_and_those_that_train_need_keras(monkeypatch, capsys):
    assert set(command.USUAL) <= set(DETECTORS)
    monkeypatch.setattr("atypia.keras_backend.available", lambda: False)
    assert command._installed(list(command.USUAL)) == ["nearest", "patchcore", "gaussian", "atlas"]
    assert 'pip install "atypia[train]"' in capsys.readouterr().err
    assert command._installed(["denoising"]) == ["denoising"]
    assert "denoising" in TRAINED


def test_what_choose_offers_is_what_there_is():
    assert set(command.CRITERIA) == set(CRITERIA)
    assert command.CRITERION in CRITERIA
    options = {option.name: option for option in command.choose.params}
    assert options["by"].default == command.CRITERION
    assert options["detectors"].default.split(",") == list(command.USUAL)
