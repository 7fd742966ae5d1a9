from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from atypia.detectors.healthy_scale import MOST, PER_SCAN, MapScale, ScoreScale, sampled

numbers = st.floats(-1e6, 1e6, allow_subnormal=False, width=32)
healthy_scores = arrays(np.float64, st.integers(1, 80), elements=numbers)
any_scores = arrays(np.float64, 20, elements=numbers)


@given(healthy=healthy_scores, scores=any_scores)
@settings(deadline=None)
def test_normal_scores_are_finite_and_never_fall_where_scores_rise(healthy, scores):
    scale = ScoreScale.learn(healthy)
    normal = scale(np.sort(np.concatenate([scores, healthy])))
    assert np.isfinite(normal).all()
    assert (np.diff(normal) >= -1e-9 * (1 + np.abs(normal[1:]))).all()


@given(
    healthy=arrays(np.float32, st.integers(1, 300), elements=st.floats(0, 100, width=32)), scores=any_scores
)
@settings(deadline=None)
def test_surprise_is_finite_bounded_and_never_falls_where_the_map_rises(healthy, scores):
    surprise = MapScale.learn(healthy)(np.sort(scores.astype(np.float32)))
    assert surprise.dtype == np.float32
    assert ((surprise >= 0) & (surprise <= MOST)).all()
    assert (np.diff(surprise) >= 0).all()


def test_healthy_scores_of_any_distribution_become_normal(rng):
    scale = ScoreScale.learn(np.exp(rng.normal(size=2000)))
    normal = scale(np.exp(rng.normal(size=2000)))
    assert normal.mean() == pytest.approx(0, abs=0.1)
    assert normal.std() == pytest.approx(1, abs=0.1)
    assert np.quantile(normal, 0.95) == pytest.approx(norm.ppf(0.95), abs=0.2)


def test_the_unit_of_the_scores_does_not_matter(rng):
    healthy, scores = rng.gamma(2, size=100), rng.gamma(4, size=30)
    assert np.allclose(ScoreScale.learn(healthy)(scores), ScoreScale.learn(50 * healthy - 3)(50 * scores - 3))


def test_a_score_far_outside_stays_far_outside(rng):
    scale = ScoreScale.learn(rng.normal(size=200))
    assert np.allclose(scale(np.array([10.0, 20.0])), [10, 20], rtol=0.25)
    assert scale(np.array([-20.0]))[0] < -10


def test_equal_healthy_scores_tell_higher_from_lower_alone():
    scale = ScoreScale.learn(np.full(9, 3.0))
    assert scale(np.array([1.0, 3.0, 7.0])).tolist() == [-1, 0, 1]


def test_where_most_are_the_highest_one_beyond_is_not_infinitely_far():
    scale = ScoreScale.learn(np.array([0.0, *[1.0] * 19]))
    assert 0 < scale(np.array([1.1]))[0] - scale(np.array([1.0]))[0] < 1


def test_surprise_is_the_logarithm_of_the_share_of_healthy_pixels(rng):
    scale = MapScale.learn(rng.exponential(size=200_000).astype(np.float32))
    at = -np.log(np.array([0.5, 0.1, 0.01, 0.001]))
    assert np.allclose(scale(at.astype(np.float32)), [0.301, 1, 2, 3], atol=0.1)
    beyond = scale(np.float32([-np.log(1e-6)]))
    assert beyond[0] == pytest.approx(6, abs=0.5)  # of an exponential tail the line is the truth
    assert scale(np.float32([1e9]))[0] == MOST


def test_of_a_map_of_one_value_nothing_surprises_but_what_is_higher():
    scale = MapScale.learn(np.zeros(50, np.float32))
    assert scale(np.float32([0, -1])).tolist() == [0, 0]
    assert scale(np.float32([1e-3]))[0] > 3


def test_values_are_drawn_inside_the_heads_alone(rng):
    heat = np.stack([np.full((4, 4), value, np.float32) for value in (1, 2, 3)])
    heads = np.zeros((3, 4, 4), bool)
    heads[:2, 1] = True
    heat[:, 0] = 99
    drawn = sampled(rng, heat, heads)
    assert drawn.tolist() == [1] * PER_SCAN + [2] * PER_SCAN
    assert sampled(rng, heat, np.zeros_like(heads)).tolist() == [0]
