"""DeLong's test against its definition, a permutation of what it may not depend on, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from atypia.errors import BadOption
from atypia.evaluation.delong import delong

RNG = np.random.default_rng(0)


def by_definition(labels, first, second):
    """The variance of the difference from the kernel of every pair, as DeLong et al. wrote it."""

    def kernel(scores):
        high, low = scores[labels][:, None], scores[~labels][None]
        return (high > low) + 0.5 * (high == low)

    difference = kernel(first) - kernel(second)
    rows, columns = difference.mean(1), difference.mean(0)
    return difference.mean(), rows.var(ddof=1) / rows.size + columns.var(ddof=1) / columns.size


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30))
def test_area_difference_and_variance_are_those_of_the_definition(seed, abnormal, normal):
    rng = np.random.default_rng(seed)
    labels = np.arange(abnormal + normal) < abnormal
    first, second = rng.integers(0, 9, (2, labels.size)) + 2.0 * labels
    found = delong(labels, first, second)
    difference, variance = by_definition(labels, first, second)
    assert found.first == pytest.approx(roc_auc_score(labels, first))
    assert found.difference == pytest.approx(difference)
    if variance > 1e-12 and found.interval[0] > -1 and found.interval[1] < 1:
        assert found.interval[1] - found.interval[0] == pytest.approx(2 * 1.959964 * variance**0.5)


def test_exchanging_the_two_changes_the_sign_alone():
    labels = RNG.random(80) < 0.5
    first, second = RNG.normal(size=(2, 80)) + labels
    there, back = delong(labels, first, second), delong(labels, second, first)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.difference == pytest.approx(-back.difference)


def test_equal_areas_are_called_different_as_often_as_promised():
    labels = np.arange(200) < 100
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(600, 200))
    calls = [
        delong(labels, row + rng.normal(size=200) + labels, row + rng.normal(size=200) + labels).p_value
        < 0.05
        for row in shared
    ]
    assert 0.03 < np.mean(calls) < 0.075


def test_a_real_difference_is_seen():
    labels = np.arange(400) < 200
    noise = RNG.normal(size=(2, 400))
    assert delong(labels, noise[0] + 2 * labels, noise[1] + 0.5 * labels).p_value < 1e-6


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 1], [0, 1, 1]])
def test_too_few_of_a_label_are_refused(labels):
    with pytest.raises(BadOption, match="at least two abnormal and two normal"):
        delong(labels, [1, 2, 3], [1, 2, 3])


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(BadOption, match="finite"):
        delong([0, 0, 1, 1], [1, 2, 3, np.nan], [1, 2, 3, 4])
