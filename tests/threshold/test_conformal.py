"""The guarantee: false alarms at most at the rate that was asked for, with and without groups."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.errors import BadOption, NotEnoughScans
from atypia.threshold import Threshold
from atypia.threshold.guarantee import guarantee
from atypia.threshold.rules import attainable, groups_needed

NUMBERS = st.floats(-1e6, 1e6)
HEALTHY = arrays(np.float64, st.integers(20, 60), elements=NUMBERS)
SCORES = arrays(np.float64, st.integers(1, 30), elements=NUMBERS)
ALPHAS = st.floats(0.06, 0.9)
ROUNDS = 1500


@st.composite
def grouped(draw):
    """Scores with ties and a group for each, of ten groups or more."""
    scores = draw(arrays(np.float64, st.integers(20, 50), elements=st.integers(0, 30).map(float)))
    groups = [place % 10 if place < 10 else draw(st.integers(0, 14)) for place in range(len(scores))]
    return scores, groups


def naive(scores: np.ndarray, new: float) -> float:
    return (1 + np.sum(scores >= new)) / (1 + len(scores))


@given(HEALTHY, SCORES, ALPHAS)
def test_flagged_means_a_p_value_of_at_most_alpha(healthy, scores, alpha):
    threshold = Threshold.learn(healthy, "conformal", alpha)
    assert (threshold.flags(scores) == (threshold.p_values(scores) <= alpha)).all()


@given(grouped(), SCORES, st.floats(0.1, 0.9))
def test_so_it_does_with_groups(given_groups, scores, alpha):
    healthy, groups = given_groups
    threshold = Threshold.learn(healthy, "conformal", alpha, groups=groups)
    asked = np.concatenate([scores, healthy])
    assert (threshold.flags(asked) == (threshold.p_values(asked) <= alpha)).all()


@pytest.mark.parametrize("count", [19, 39, 99, 199])
def test_a_p_value_that_equals_alpha_flags(count):
    threshold = Threshold.learn(np.arange(count), "conformal", 0.05)
    at = count - (count + 1) * 0.05 + 0.5
    assert threshold.p_values(at) == 0.05
    assert threshold.flags(at)


def test_a_p_value_that_equals_alpha_flags_where_shares_of_groups_add_up():
    groups = np.repeat(np.arange(39), 3)
    threshold = Threshold.learn(np.arange(117.0), "conformal", 0.05, groups=groups)
    assert threshold.p_values(113.5) == 0.05
    assert threshold.flags(113.5)


@given(grouped(), SCORES)
def test_p_value_counts_each_group_once(given_groups, scores):
    healthy, groups = given_groups
    shares = [
        np.mean(healthy[np.equal(groups, group)][:, None] >= scores, axis=0) for group in np.unique(groups)
    ]
    expected = (1 + np.sum(shares, axis=0)) / (1 + len(shares))
    assert Threshold.learn(healthy, groups=groups).p_values(scores) == pytest.approx(expected, abs=1e-11)


@given(HEALTHY, SCORES)
def test_groups_of_one_are_no_groups(healthy, scores):
    alone = Threshold.learn(healthy, groups=[f"patient {n}" for n in range(len(healthy))])
    assert (alone.p_values(scores) == Threshold.learn(healthy).p_values(scores)).all()


@given(grouped(), SCORES)
def test_p_values_fall_as_scores_rise_and_stay_in_0_to_1(given_groups, scores):
    healthy, groups = given_groups
    p = Threshold.learn(healthy, groups=groups).p_values(np.sort(scores))
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(p) <= 0).all()


@given(grouped(), SCORES, st.randoms(use_true_random=False))
def test_the_order_of_scans_and_the_names_of_groups_do_not_matter(given_groups, scores, random):
    healthy, groups = given_groups
    order = list(range(len(healthy)))
    random.shuffle(order)
    one = Threshold.learn(healthy, "conformal", 0.2, groups=groups)
    other = Threshold.learn(
        healthy[order], "conformal", 0.2, groups=[f"name {groups[place]}" for place in order]
    )
    assert one.value == other.value
    assert (one.p_values(scores) == other.p_values(scores)).all()


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_exchangeable_healthy_scans_are_flagged_at_most_at_the_rate(rng, alpha):
    draws = rng.gamma(2.0, size=(ROUNDS, 60))
    flagged = [Threshold.learn(d[:-1], "conformal", alpha).flags(d[-1]) for d in draws]
    assert np.mean(flagged) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / ROUNDS)


@pytest.mark.parametrize(("count", "slices"), [(24, 10), (30, None)])
def test_slices_of_one_patient_do_not_count_as_many(draw_patients, count, slices):
    alpha = 0.05
    error = 3 * np.sqrt(alpha * (1 - alpha) / ROUNDS)
    drawn = [draw_patients(count, slices) for _ in range(ROUNDS)]
    ours = [Threshold.learn(p.scores, "conformal", alpha, groups=p.groups).flags(p.new) for p in drawn]
    assert np.mean(ours) <= alpha + error
    assert np.mean([naive(p.scores, p.new) <= alpha for p in drawn]) > alpha + error


@pytest.mark.parametrize(
    ("alpha", "needed"), [(0.5, 1), (0.2, 4), (0.1, 9), (0.05, 19), (0.03, 33), (0.01, 99)]
)
def test_the_number_needed_is_the_smallest_that_can_flag(alpha, needed):
    assert groups_needed("conformal", alpha) == needed
    assert 1 / (1 + needed) <= alpha < 1 / needed


@given(st.integers(5, 3000))
def test_the_rate_that_is_offered_can_be_had(count):
    assert groups_needed("conformal", attainable(count)) <= count


def test_too_few_scans_are_told_with_the_number_needed_and_what_can_be_had():
    with pytest.raises(
        NotEnoughScans, match=r"0.05 needs at least 19 held-out healthy scans, received 18"
    ) as told:
        Threshold.learn(np.arange(18.0), "conformal", 0.05)
    assert "0.0527 or more" in str(told.value)
    assert Threshold.learn(np.arange(18.0), "conformal", 0.0527).flags(18.0)


def test_too_few_groups_are_told_though_scans_are_many():
    groups = np.repeat(np.arange(12), 30)
    with pytest.raises(NotEnoughScans, match=r"at least 19 groups .* received 12 with 360 scans"):
        Threshold.learn(np.arange(360.0), "conformal", 0.05, groups=groups)


def test_groups_that_do_not_fit_the_scores_are_refused():
    with pytest.raises(BadOption, match="groups: expected one for each of 30 scores, received 2"):
        Threshold.learn(np.arange(30.0), groups=["a", "b"])


def test_no_name_of_a_group_is_kept():
    threshold = Threshold.learn(np.arange(20.0), groups=["Ada", "Bo"] * 10)
    text = json.dumps(threshold.to_dict())
    assert "Ada" not in text
    assert json.loads(text)["groups"] == [0, 1] * 10


@given(grouped(), SCORES)
def test_groups_come_back_from_json(given_groups, scores):
    healthy, groups = given_groups
    threshold = Threshold.learn(healthy, "conformal", 0.2, groups=groups)
    back = Threshold.from_dict(json.loads(json.dumps(threshold.to_dict())))
    assert back.to_dict() == threshold.to_dict()
    assert back.value == threshold.value
    assert (back.p_values(scores) == threshold.p_values(scores)).all()


def test_a_threshold_of_an_earlier_version_has_neither_groups_nor_strata():
    saved = {"rule": "quantile", "parameter": 0.5, "healthy": [1.0, 2.0, 3.0, 4.0, 5.0]}
    threshold = Threshold.from_dict(saved)
    assert (threshold.value, threshold.calibration.group_count, threshold.strata) == (3.0, 5, ())
    assert threshold.to_dict() == saved


@pytest.mark.parametrize(
    ("rule", "parameter", "words"),
    [
        ("mean+std", 1.0, "No guarantee: which share"),
        ("quantile", 0.9, "No guarantee: flags about 10 %"),
        ("conformal", 0.1, "probability of at most 10 %"),
    ],
)
def test_the_promise_is_told_in_words(rule, parameter, words):
    assert words in guarantee(Threshold.learn(np.arange(30.0), rule, parameter))


def test_the_promise_is_about_new_patients_where_patients_are_known():
    alone = Threshold.learn(np.arange(30.0), "conformal", 0.1)
    assert "No groups are known" in guarantee(alone)
    known = Threshold.learn(np.arange(30.0), "conformal", 0.1, groups=(np.arange(30) // 2).tolist())
    assert "new healthy patients" in guarantee(known)
