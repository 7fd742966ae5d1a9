"""The same fit is the same file; scores of the phantom are those of the machine where they were stored."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from atypia.detectors import Asymmetry, Atlas, Intensity, Nearest
from atypia.errors import BadOption
from atypia.preparation import Preparation
from atypia.pretrained import pretrained_path
from atypia.reading.collection import read_collections
from atypia.screener import Screener

STORED = Path(__file__).resolve().parents[1] / "data" / "phantom-scores.json"
MADE = {
    "asymmetry": Asymmetry,
    "atlas": Atlas,
    "intensity": Intensity,
    "nearest": lambda: Nearest("efficientnet-lite0"),
}


def fitted(name: str, table: Path) -> Screener:
    screener = Screener(
        MADE[name](), Preparation(size=96), rule="quantile", parameter=0.9, fitness=name == "atlas"
    )
    return screener.fit(read_collections([table]))


@pytest.fixture(scope="module")
def once(phantom_table) -> dict[str, Screener]:
    pytest.importorskip("nilearn")
    return {name: fitted(name, phantom_table) for name in MADE}


@pytest.fixture(scope="module")
def phantom_scores(phantom_table, once) -> dict[str, list[float]]:
    rows = [row for row in read_collections([phantom_table]) if row.split == "test"][::2]
    screeners = {**once, "synthetic": Screener.load(pretrained_path("synthetic"))}
    return {
        name: [finding.score for finding in screener.score(rows, heatmaps=False, judge_all=True)]
        for name, screener in screeners.items()
    }


def test_scores_of_the_phantom_are_those_stored(phantom_scores):
    if os.environ.get("ATYPIA_GOLDEN") == "write":
        STORED.write_text(json.dumps(phantom_scores, indent=1) + "\n")
    stored = json.loads(STORED.read_text())
    assert stored.keys() == phantom_scores.keys()
    for name, scores in stored.items():
        assert phantom_scores[name] == pytest.approx(scores, abs=1e-4, rel=0), name
        assert len(scores) == 8


def in_bytes(screener: Screener, path: Path) -> bytes:
    screener.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["atlas", "nearest"])
def test_the_same_fit_is_the_same_file(name, once, phantom_table, tmp_path):
    one = in_bytes(once[name], tmp_path / "one")
    assert in_bytes(fitted(name, phantom_table), tmp_path / "two") == one
    assert in_bytes(Screener.load(tmp_path / "one"), tmp_path / "three") == one


def test_a_time_is_told_where_the_environment_sets_it(quick_file, monkeypatch):
    from atypia.screener.fit_report import FitReport
    from atypia.screener.provenance import provenance_of

    def told() -> dict[str, object]:
        return provenance_of(FitReport(1, 1), grouped=False, seed=0)

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert "fitted" not in told()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert told()["fitted"] == "2023-11-14T22:13:20+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(BadOption, match="seconds since 1970"):
        told()
    assert "fitted" not in Screener.load(quick_file).provenance


def test_how_long_an_epoch_took_is_not_in_the_file():
    from atypia.screener.provenance import without_times

    members = [{"history": [{"epoch": 1, "loss": 0.5, "seconds": 3.2}], "seconds": 4}]
    found = without_times({"members": members, "history": []})
    assert found == {"members": [{"history": [{"epoch": 1, "loss": 0.5}], "seconds": 4}], "history": []}
    assert "seconds" in members[0]["history"][0]
