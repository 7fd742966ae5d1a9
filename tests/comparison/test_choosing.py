"""A choice among detectors on healthy rendered slices alone."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from atypia.comparison import CRITERIA, Contestant, Outcome, choose
from atypia.comparison.choosing import _ranked
from atypia.comparison.simulated import FEWEST, healthy, simulated_trial
from atypia.comparison.trying import three_parts
from atypia.detectors import Asymmetry, Intensity
from atypia.encoders.weights import obtain_weights
from atypia.errors import BadOption, BadTable, NotEnoughScans
from atypia.preparation import Preparation
from atypia.reading.collection import Collection
from atypia.report.choice import CRITERIA as IN_WORDS
from atypia.screener import Screener
from atypia.screener.learned_files import count_learned

SMALL = Preparation(64)
BRIGHT = Contestant("bright", partial(Screener, Intensity(), SMALL, fitness=False), {"smoothing": "usual"})
SIDES = Contestant("sides", partial(Screener, Asymmetry(), SMALL, fitness=False), {})
BROKEN = Contestant("broken", partial(obtain_weights, Path("/weights of mine/nowhere.h5")), {})


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    from atypia.comparison import running

    work = tmp_path_factory.mktemp("chosen")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_in_own_process", lambda task: running._run(task) or 0)
        return work, choose(table, [BROKEN, BRIGHT, SIDES], work, by="auroc", aside=0.3, command="atypia it")


def test_the_best_is_chosen_and_calibrated_and_the_broken_costs_its_own_row(done):
    work, found = done
    values = json.loads((work / "choice.json").read_text())
    first, second, last = found.outcomes
    assert first.simulated_auroc >= second.simulated_auroc
    assert values["chosen"] == first.name == found.page.winner.name
    assert values["candidates"][0]["auroc"] == first.simulated_auroc
    assert [one["name"] for one in values["candidates"]] == [first.name, second.name]
    assert [outcome.name for outcome in found.failed] == [last.name] == ["broken"]
    assert found.screener.threshold_ is not None
    assert found.screener.records["choice"]["candidates"] == 2
    assert "atypia it" in (work / "choice.html").read_text()


def test_the_parts_share_no_group_and_hold_no_abnormal_scan(done, table):
    _, found = done
    parts = found.parts
    groups = [{row.group for row in part} for part in (parts.learned, parts.tried, parts.threshold)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert {row.split for row in (*parts.learned, *parts.tried)} == {"train"}
    assert parts.threshold.rows == table.select(split="threshold").rows
    assert all(row.label == "normal" for part in vars(parts).values() for row in part)
    assert len(parts.learned) + len(parts.tried) == len(table.select(split="train"))
    assert found.screener.report_ is None  # it was loaded, as it will be in use
    assert found.screener.provenance["train_scans"] == len(parts.learned)
    assert found.screener.provenance["calibration_scans"] == len(parts.threshold)


def test_a_test_on_what_it_was_chosen_by_is_known_as_a_leak(done, table):
    _, found = done
    learned = found.screener.learned_files_
    for part in vars(found.parts).values():
        assert count_learned(part, learned) == len(part)
    assert count_learned(table.select(split="test"), learned) == 0


def test_the_threshold_took_no_part_in_the_choice(done):
    """The scores of the calibration are those of the rows for the threshold alone."""
    _, found = done
    scores = [finding.score for finding in found.screener.score(found.parts.threshold, heatmaps=False)]
    kept = found.screener.threshold_.calibration
    assert sorted(scores) == pytest.approx(sorted(kept.scores.tolist()), rel=1e-6)


def test_what_is_finished_is_not_run_again(done, table, here):
    work, found = done
    again = choose(table, [BRIGHT, SIDES], work, by="precision", aside=0.3)
    assert here == []
    assert {o.name for o in again.outcomes} == {"bright", "sides"}
    assert again.outcomes[0].simulated_precision >= again.outcomes[1].simulated_precision
    (work / found.outcomes[0].name / "screener.atypia").unlink()
    choose(table, [BRIGHT, SIDES], work, by="auroc", aside=0.3)
    assert here == [found.outcomes[0].name]


def test_a_table_without_splits_is_parted_in_three(table):
    rows = tuple(replace(row, split=None) for row in table)
    parts = three_parts(Collection(rows, "t.csv"), 0.25, seed=1)
    sizes = len(parts.learned), len(parts.tried), len(parts.threshold)
    assert sum(sizes) == len(table.select(label="normal")) == 40
    assert sizes == (24, 8, 8)


@pytest.mark.parametrize("aside", [0, 1, -1])
def test_an_impossible_share_is_refused(table, aside):
    with pytest.raises(BadOption, match="aside"):
        three_parts(table, aside, 0)


def test_too_few_to_choose_by_are_refused(table):
    with pytest.raises(NotEnoughScans, match=f"at least {FEWEST} healthy scans to choose by, received 2"):
        three_parts(table, 0.1, 0)


def test_an_unknown_criterion_is_refused_before_anything_runs(table, tmp_path, here):
    with pytest.raises(BadOption, match="expected one of auroc, precision, mean"):
        choose(table, [BRIGHT], tmp_path, by="luck")
    assert here == []
    assert set(CRITERIA) == set(IN_WORDS)


@pytest.mark.usefixtures("here")
def test_where_none_finishes_that_is_told(table, tmp_path):
    with pytest.raises(BadTable, match=r"none did:\n  broken: nowhere\.h5"):
        choose(table, [BROKEN], tmp_path, by="auroc", aside=0.3)


def outcome(name, auroc, precision, seconds=1.0, error=None):
    figures = {"simulated_auroc": auroc, "simulated_precision": precision}
    return Outcome(name, error, fit_seconds=seconds, **figures)


def test_ranks_follow_the_criterion_then_the_other_figure_then_the_time():
    given = [
        outcome("failed", None, None, error="why"),
        outcome("locates", 0.7, 0.9),
        outcome("finds", 0.9, 0.1),
        outcome("finds and locates", 0.9, 0.2, 9.0),
        outcome("the same, sooner", 0.9, 0.2, 2.0),
    ]
    names = [one.name for one in _ranked(given, "auroc")]
    assert names == ["the same, sooner", "finds and locates", "finds", "locates", "failed"]
    assert _ranked(given, "precision")[0].name == "locates"
    assert _ranked(given, "mean")[0].name == "locates"


def test_of_few_scans_nothing_is_told(table):
    screener = Screener(Intensity(), SMALL, fitness=False)
    assert simulated_trial(screener, table.rows[: FEWEST - 1], 0) is None
    lost = [replace(row, path=Path("nowhere.png")) for row in table.rows[:8]]
    assert simulated_trial(screener, lost, 0) is None


def test_what_nothing_calls_abnormal_is_healthy(table):
    assert {row.label for row in healthy(table.rows)} == {"normal"}
    unknown = [replace(row, label=None) for row in table.rows]
    assert healthy(unknown) == unknown
