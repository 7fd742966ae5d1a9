from __future__ import annotations

import json
import pickle

import pytest

from atypia.cli.candidates import NAMES, named
from atypia.cli.compare import compare
from atypia.comparison import running
from atypia.detectors import DETECTORS
from atypia.errors import BadTable
from atypia.networks.recipe import RECIPES


@pytest.fixture
def here(monkeypatch):
    """Run each contestant in this process, as it comes out of what another would be sent."""

    def run(task):
        running._run(pickle.loads(pickle.dumps(task)))
        return 0

    monkeypatch.setattr(running, "_in_own_process", run)


@pytest.mark.usefixtures("here", "without_drawing")
def test_two_detectors_are_ranked_on_a_table(atypia, phantom_table, tmp_path):
    words = (
        "--detectors",
        "nearest,nearest@efficientnet-lite0",
        "--encoder",
        "efficientnet-lite0",
        "--size",
        64,
    )
    outcome = atypia("compare", phantom_table, "-o", tmp_path, *words)
    assert outcome.code == 0, outcome.err
    values = json.loads((tmp_path / "compare.json").read_text())
    names = {row["name"] for row in values["rows"] if not row["trivial"]}
    assert names == {"nearest", "nearest-on-efficientnet-lite0"}
    pair = next(p for p in values["pairs"] if {p["first"], p["second"]} == names)
    assert pair["difference"] == 0
    assert pair["p_value"] == 1
    lines = outcome.out.splitlines()
    assert lines[0].startswith("|  | AUROC (95 %) |")
    assert lines[-2:] == [
        f"leaderboard: {tmp_path / 'compare.html'}",
        "Research use only. Not a medical device.",
    ]
    assert "compare table.csv" in (tmp_path / "compare.html").read_text()


@pytest.mark.parametrize("names", ["", "nearest,nearest", "nobody"])
def test_unknown_or_repeated_names_are_refused(atypia, phantom_table, tmp_path, names):
    outcome = atypia("compare", phantom_table, "-o", tmp_path, "--detectors", names)
    assert outcome.code == 2
    assert "--detectors" in outcome.err


def test_an_unknown_encoder_is_refused_with_those_there_are(atypia, phantom_table, tmp_path):
    outcome = atypia("compare", phantom_table, "-o", tmp_path, "--detectors", "nearest@nobody")
    assert outcome.code == 2
    assert "Expected an encoder out of auto, resnet50" in outcome.err
    assert "received 'nobody'" in outcome.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--try", "intensity percent=90", "--try", "intensity"), ["intensity-percent=90", "intensity"]),
        (("--detectors", "atlas", "--try", "intensity"), ["atlas", "intensity"]),
        ((), ["ensemble", "lesion-simulation", "nearest", "autoencoder"]),
    ],
)
def test_settings_make_another_contestant(atypia, phantom_table, tmp_path, monkeypatch, words, names):
    asked = []

    def compare_none(table, contestants, out, **_):
        asked.extend(contestants)
        raise BadTable(f"{len(table)} {out.name}")

    monkeypatch.setattr("atypia.comparison.compare", compare_none)
    assert atypia("compare", phantom_table, "-o", tmp_path, *words).code == 2
    assert [contestant.name for contestant in asked] == names


def test_a_wrong_setting_is_refused_before_anything_runs(atypia, phantom_table, tmp_path):
    words = ("--detectors", "atlas", "--try", "intensity percent=most")
    outcome = atypia("compare", phantom_table, "-o", tmp_path / "out", *words)
    assert outcome.code == 2
    assert "--try 'intensity percent=most': percent: expected a number" in outcome.err
    assert not (tmp_path / "out").exists()


def test_every_detector_and_recipe_can_be_named_and_is_explained():
    assert set(NAMES) == {*DETECTORS, *RECIPES}
    assert named(",".join(NAMES)) == list(NAMES)
    assert {name for name, _ in compare.glossary["Detectors"]} == {*NAMES, "NAME@ENCODER"}
    (offered,) = [option for option in compare.params if option.name == "detectors"]
    assert set(named(offered.default)) <= set(DETECTORS)
