"""Ranking contestants: figures against scikit-learn, pairs against each other, and what must be refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.errors import BadOption
from atypia.evaluation.standings import bootstrap_p, holm, standings

RNG = np.random.default_rng(3)
LABELS = np.arange(240) < 120
GROUPS = [str(place // 3) for place in range(240)]
NOISE = RNG.normal(size=240)
GOOD, FAIR = NOISE + 2.5 * LABELS, NOISE + RNG.normal(size=240) + 0.7 * LABELS
SCORES = {"fair": FAIR, "good": GOOD, "as good": GOOD + 1e-3 * RNG.normal(size=240)}


@pytest.fixture(scope="module")
def found():
    return standings(SCORES, LABELS, GROUPS, resamples=500)


def test_figures_are_those_of_the_scores(found):
    for row in found.rows:
        assert row.auroc == pytest.approx(roc_auc_score(LABELS, SCORES[row.name]))
        assert row.average_precision == pytest.approx(average_precision_score(LABELS, SCORES[row.name]))
        low, high = row.auroc_interval
        assert low < row.auroc < high
    assert (found.normal, found.abnormal, found.groups) == (120, 120, 80)


def test_what_is_perfect_is_not_certain():
    labels = np.arange(40) < 20
    (row,) = standings({"perfect": labels * 1.0}, labels, [None] * 40, resamples=50).rows
    assert (row.auroc, row.average_precision, row.sensitivity_at_5) == (1, 1, 1)
    for low, high in (row.auroc_interval, row.average_precision_interval, row.sensitivity_at_5_interval):
        assert 0.4 < low < 0.95
        assert high == 1


def test_the_best_stands_first_and_what_no_test_tells_apart_stands_level(found):
    assert [row.place for row in found.rows] == [1, 2, 3]
    assert found.rows[2].name == "fair"
    assert [row.level for row in found.rows] == [True, True, False]


def test_a_pair_is_found_from_either_side_and_tells_the_difference(found):
    pair = found.pairing("fair", "good")
    assert pair == found.pairing("good", "fair")
    assert pair.first == "good"
    assert pair.difference == pytest.approx(roc_auc_score(LABELS, GOOD) - roc_auc_score(LABELS, FAIR))
    assert pair.interval[0] > 0
    assert pair.p_value <= pair.adjusted < 0.05
    assert pair.delong_p < 0.001
    with pytest.raises(KeyError):
        found.pairing("good", "nobody")


def test_whole_groups_drawn_make_wider_intervals_than_scans_drawn():
    centres = np.repeat(RNG.normal(size=24), 10)
    scores = {"one": centres + 0.1 * RNG.normal(size=240) + 0.5 * LABELS}
    grouped = standings(scores, LABELS, [str(place // 10) for place in range(240)], resamples=500)
    alone = standings(scores, LABELS, [None] * 240, resamples=500)
    width = [np.subtract(*found.rows[0].auroc_interval[::-1]) for found in (grouped, alone)]
    assert width[0] > 1.5 * width[1]


def test_one_contestant_has_no_pairs():
    found = standings({"good": GOOD}, LABELS, GROUPS, resamples=50)
    assert found.pairs == ()
    assert found.rows[0].level


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


def test_the_bootstrap_p_value_is_never_zero_and_half_way_is_one():
    assert bootstrap_p(np.full(99, 0.2)) == pytest.approx(0.02)
    assert bootstrap_p(np.array([-1.0, 1.0])) == 1.0
    assert math.isnan(bootstrap_p(np.array([np.nan])))


def test_one_label_and_scores_that_are_no_numbers_are_refused():
    with pytest.raises(BadOption, match="at least two normal"):
        standings({"a": [1.0, 2.0]}, [True, True], ["a", "b"])
    with pytest.raises(BadOption, match="finite score"):
        standings({"a": [1.0, np.nan, 2.0, 3.0]}, [True, True, False, False], list("abcd"))


def test_of_trivial_scores_only_the_best_is_tested():
    scores = SCORES | {"trivial: a": NOISE, "trivial: b": NOISE + 0.3 * LABELS}
    found = standings(scores, LABELS, GROUPS, trivial=("trivial: a", "trivial: b"), resamples=100)
    named = [{pair.first, pair.second} for pair in found.pairs]
    assert len(named) == 6
    assert {"good", "trivial: b"} in named
    assert not any("trivial: a" in pair for pair in named)
    assert len(found.rows) == 5


def test_many_contestants_are_drawn_often_enough_to_be_told_apart():
    rng = np.random.default_rng(5)
    poor = {f"poor {place}": rng.normal(size=240) for place in range(11)}
    many = standings({"good": GOOD} | poor, LABELS, GROUPS)
    assert many.resamples > 2000
    assert not any(row.level for row in many.rows if row.name != "good")
    assert standings({"good": GOOD, "poor": poor["poor 0"]}, LABELS, GROUPS).resamples == 2000
