"""Comparing detectors end to end on rendered slices: ranked, resumed, and one failure costing one row."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from atypia.comparison import Contestant, compare
from atypia.comparison.judging import Judging
from atypia.comparison.running import _without_folders
from atypia.detectors import Nearest
from atypia.encoders.weights import obtain_weights
from atypia.errors import BadTable
from atypia.preparation import Preparation
from atypia.reading.collection import Collection
from atypia.screener import Screener
from atypia.study import study_of

# What the other process runs must be importable there, which a test module is not.
DIE = Contestant("near", partial(os._exit, 7), {})
NEAR = Contestant("near", partial(Screener, Nearest("efficientnet-lite0"), Preparation(64)), {"k": "default"})
BROKEN = Contestant("broken", partial(obtain_weights, Path("/weights of mine/nowhere.h5")), {})


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared")
    return out, compare(table, [NEAR, BROKEN], out)


def test_the_finished_are_ranked_beside_the_trivial_and_the_broken_costs_its_own_row(done):
    out, found = done
    assert {row.name for row in found.standings.rows} == {"near", *found.baselines}
    assert len(found.baselines) >= 5
    assert [outcome.name for outcome in found.failed] == ["broken"]
    assert "nowhere.h5" in found.failed[0].error
    assert found.best_baseline in found.baselines
    values = json.loads((out / "compare.json").read_text())
    assert values["failures"] == [{"name": "broken", "error": found.failed[0].error}]
    assert values["data"]["normal scans judged"] == 8


def test_the_figure_of_the_leaderboard_is_that_of_the_own_report(done):
    out, found = done
    own = json.loads((out / "near" / "metrics.json").read_text())
    row = next(row for row in found.standings.rows if row.name == "near")
    assert row.auroc == pytest.approx(own["image"]["auroc"])
    near = found.outcomes[0]
    assert near.fit_seconds > 0
    assert near.images_per_second > 0
    assert near.peak_mib is None or near.peak_mib > 50
    assert (out / "near" / "screener.atypia").is_file()
    assert not (out / "near" / "work").exists()


def test_each_is_tried_on_simulated_lesions_in_the_scans_for_the_threshold(done):
    out, found = done
    near = found.outcomes[0]
    assert 0.3 < near.simulated_auroc <= 1
    assert 0 < near.simulated_precision <= 1
    assert found.outcomes[1].simulated == {"auroc": None, "precision": None}
    values = json.loads((out / "compare.json").read_text())
    rows = {row["name"]: row["simulated"] for row in values["rows"]}
    assert rows["near"] == near.simulated
    assert rows[found.baselines[0]] == {}
    assert values["agreements"] == []  # of one detector


def test_what_an_earlier_call_did_not_try_is_tried_from_its_saved_screener(done, table, tmp_path, here):
    out, found = done
    shutil.copytree(out / "near", tmp_path / "near")
    kept = json.loads((tmp_path / "near" / "outcome.json").read_text())
    for name in ("simulated_auroc", "simulated_precision"):
        del kept["outcome"][name]
    (tmp_path / "near" / "outcome.json").write_text(json.dumps(kept))
    findings = (tmp_path / "near" / "findings.csv").stat().st_mtime_ns
    again = compare(table, [NEAR], tmp_path)
    assert here == ["near"]
    tried = dict.fromkeys(("simulated_auroc", "simulated_precision"))
    assert replace(again.outcomes[0], **tried) == replace(found.outcomes[0], **tried)
    # The fit ran in a process of its own: sums there may differ in the last place from sums in this one.
    assert again.outcomes[0].simulated == pytest.approx(found.outcomes[0].simulated, rel=1e-6)
    assert (tmp_path / "near" / "findings.csv").stat().st_mtime_ns == findings


def test_without_scans_for_the_threshold_nothing_is_tried(done, table):
    out, found = done
    untried = replace(found.outcomes[0], simulated_auroc=None)
    task = Judging(NEAR, table, study_of(table.select(split="test")), out / "near", seed=0)
    assert task.lacks(untried)
    assert not task.lacks(found.outcomes[0])
    few = Collection(tuple(row for row in table if row.split != "threshold"), "t.csv")
    assert not replace(task, table=few).lacks(untried)
    assert replace(task, table=few)._tried(Screener()) == {}
    assert not replace(task, out=out / "elsewhere").lacks(untried)


def test_no_way_to_a_folder_stands_in_what_is_left(done, table):
    out, _ = done
    left = [path for path in out.rglob("*") if path.suffix in (".html", ".json", ".md", ".csv")]
    assert {"compare.html", "compare.json", "compare.md", "outcome.json"} <= {path.name for path in left}
    folders = (str(Path(table.source).parent), str(out), "weights of mine")
    told = [path.name for path in left if any(f in path.read_text(encoding="utf-8") for f in folders)]
    assert told == []


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/data of Jane/w.h5: expected a file, received none.", "w.h5: expected a file, received none."),
        ("Could not read /data/of/w.h5: none.", "Could not read w.h5: none."),
        ("w.h5: fetch https://a.org/b/c.h5, 3/4 done.", "w.h5: fetch https://a.org/b/c.h5, 3/4 done."),
    ],
)
def test_folders_are_left_out_of_a_message(message, told):
    assert _without_folders(message) == told


def test_what_is_finished_is_not_run_again_and_another_may_join(done, table, monkeypatch):
    out, found = done
    monkeypatch.setattr("atypia.comparison.running._in_own_process", lambda _: 7)
    again = compare(table, [NEAR], out)
    assert again.standings.rows == compare(table, [NEAR], out).standings.rows
    assert again.outcomes[0] == found.outcomes[0]


def test_another_setting_or_table_is_run_anew(done, table, monkeypatch):
    out, _ = done
    ran = []
    monkeypatch.setattr("atypia.comparison.running._kept", lambda _, asked: ran.append(asked))
    monkeypatch.setattr("atypia.comparison.running._in_own_process", lambda _: 7)
    fewer = Collection(table.rows[:-1], table.source)
    for contestant, rows in ((NEAR, table), (replace(NEAR, settings={"k": 1}), table), (NEAR, fewer)):
        with pytest.raises(BadTable, match="expected at least one detector to finish"):
            compare(rows, [contestant], out / "elsewhere")
    assert ran[0] == ran[1] != ran[2]
    assert len({json.dumps(asked, sort_keys=True) for asked in ran}) == 3


def test_a_process_that_dies_is_told(table, tmp_path):
    with pytest.raises(BadTable, match="near: Its process ended with exit code 7"):
        compare(table, [DIE], tmp_path)


def test_a_split_that_leaks_is_refused_unless_allowed(table, tmp_path):
    rows = tuple(replace(row, group="one") for row in table)
    leaking = Collection(rows, "leaking.csv")
    with pytest.raises(BadTable, match="LEAKS"):
        compare(leaking, [NEAR], tmp_path)


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_table_without_a_part_is_refused(table, tmp_path, missing):
    rows = tuple(row for row in table if row.split != missing)
    with pytest.raises(BadTable, match=f"normal rows whose split is {missing}, received none"):
        compare(Collection(rows, "t.csv"), [NEAR], tmp_path)
