from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.threshold import FEWEST, RULES, Threshold

NUMBERS = st.floats(-1e6, 1e6)
HEALTHY = arrays(np.float64, st.integers(FEWEST, 60), elements=NUMBERS)
SAFE = {"conformal": 0.2}  # five scores can promise no less
SCORES = arrays(np.float64, st.integers(1, 30), elements=NUMBERS)


@given(HEALTHY, SCORES)
def test_p_values_lie_in_0_to_1_and_fall_as_scores_rise(healthy, scores):
    p = Threshold.learn(healthy).p_values(np.sort(scores))
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(p) <= 0).all()


@given(HEALTHY, NUMBERS)
def test_p_value_counts_the_healthy_scores_at_least_as_high(healthy, score):
    expected = (1 + np.sum(healthy >= score)) / (1 + len(healthy))
    assert Threshold.learn(healthy).p_values(score) == expected


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_p_values_of_exchangeable_scores_are_small_no_more_often_than_they_say(rng, level):
    draws = rng.exponential(size=(2000, 40))
    p = np.array([Threshold.learn(draw[:-1]).p_values(draw[-1]) for draw in draws])
    sampling_error = 3 * np.sqrt(level * (1 - level) / len(draws))
    assert np.mean(p <= level) <= level + sampling_error


@given(HEALTHY, st.floats(0, 5))
def test_mean_std_is_numpys(healthy, k):
    value = Threshold.learn(healthy, "mean+std", k).value
    assert value == pytest.approx(healthy.mean() + k * healthy.std(), rel=1e-12, abs=1e-6)


@given(HEALTHY, st.floats(0.01, 0.99))
def test_quantile_is_numpys_and_one_of_the_healthy_scores(healthy, q):
    threshold = Threshold.learn(healthy, "quantile", q)
    assert threshold.value == np.quantile(healthy, q, method="higher")
    assert threshold.value in healthy


@given(HEALTHY, st.floats(0.01, 0.99))
def test_quantile_flags_at_most_the_share_of_healthy_scans_above_it(healthy, q):
    flagged = Threshold.learn(healthy, "quantile", q).flags(healthy)
    assert flagged.mean() <= 1 - q + 1e-9


@given(HEALTHY, SCORES, st.sampled_from(list(RULES)))
def test_a_score_is_flagged_when_it_is_above_the_value(healthy, scores, rule):
    threshold = Threshold.learn(healthy, rule, SAFE.get(rule))
    assert (threshold.flags(scores) == (scores > threshold.value)).all()
    assert not threshold.flags(threshold.value)
    assert threshold.flags(np.nextafter(threshold.value, np.inf))


@pytest.mark.parametrize(("rule", "parameter"), [("mean+std", 1.0), ("quantile", 0.95), ("conformal", 0.05)])
def test_each_rule_has_a_parameter_of_its_own(rule, parameter):
    assert Threshold.learn(np.arange(19.0), rule).parameter == parameter


@given(HEALTHY, st.randoms())
def test_order_of_the_healthy_scores_does_not_matter(healthy, random):
    shuffled = healthy.tolist()
    random.shuffle(shuffled)
    assert Threshold.learn(shuffled).value == Threshold.learn(healthy).value


@given(HEALTHY, st.sampled_from(list(RULES)))
def test_it_comes_back_from_json_as_it_was(healthy, rule):
    threshold = Threshold.learn(healthy, rule, SAFE.get(rule))
    back = Threshold.from_dict(json.loads(json.dumps(threshold.to_dict())))
    assert (back.rule, back.parameter, back.value) == (rule, threshold.parameter, threshold.value)
    assert (back.healthy == threshold.healthy).all()


def test_what_was_learned_cannot_be_changed():
    threshold = Threshold.learn(np.arange(9.0))
    with pytest.raises(ValueError, match="read-only"):
        threshold.healthy[0] = 100
    with pytest.raises(AttributeError):
        threshold.rule = "quantile"


@pytest.mark.parametrize(
    ("rule", "parameter", "words"),
    [
        ("median", None, "out of mean\\+std, quantile, conformal; received 'median'"),
        ("quantile", 0.0, "between 0 and 1; received 0.0"),
        ("quantile", 1.0, "between 0 and 1"),
        ("quantile", 95.0, "between 0 and 1; received 95.0"),
        ("conformal", 0.0, "between 0 and 1; received 0.0"),
        ("conformal", 5.0, "between 0 and 1; received 5.0"),
        ("mean+std", np.nan, "a finite number; received nan"),
        ("mean+std", np.inf, "a finite number"),
    ],
)
def test_bad_rules_and_parameters_are_refused(rule, parameter, words):
    with pytest.raises(BadOption, match=words):
        Threshold.learn(np.arange(9.0), rule, parameter)


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_few_healthy_scores_are_refused(count):
    with pytest.raises(NotEnoughScans, match=f"at least {FEWEST} held-out healthy scans, received {count}"):
        Threshold.learn(np.zeros(count))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_healthy_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(BadOption, match="finite"):
        Threshold.learn([1, 2, 3, 4, 5, bad])


@pytest.mark.parametrize("ask", [Threshold.p_values, Threshold.flags])
def test_no_verdict_is_given_on_nan(ask):
    with pytest.raises(BadOption, match="NaN"):
        ask(Threshold.learn(np.arange(9.0)), [1.0, np.nan])


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "median"},
        {"rule": ["quantile"]},
        {"parameter": "much"},
        {"healthy": [1, 2]},
        {"healthy": ["a"] * 9},
        {"healthy": None},
        {"groups": [1, 2]},
        {"groups": 3},
        {"taken": {"plane": [1] * 9}},
        {"taken": ["plane"]},
        {"strata": ["plane"]},
    ],
)
def test_a_saved_threshold_that_makes_no_sense_is_corrupt(change):
    saved = Threshold.learn(np.arange(9.0)).to_dict() | change
    with pytest.raises(CorruptArtefact, match="saved threshold cannot be used"):
        Threshold.from_dict(saved)


def test_a_saved_threshold_without_its_scores_is_corrupt():
    with pytest.raises(CorruptArtefact):
        Threshold.from_dict({"rule": "quantile", "parameter": 0.5})
