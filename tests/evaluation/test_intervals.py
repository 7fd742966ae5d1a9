from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.evaluation.intervals import auroc_interval, perfect_precision_interval, share_interval
from atypia.evaluation.metrics import auroc


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_lies_in_its_interval(part: int, more: int) -> None:
    whole = part + more
    low, high = share_interval(part, whole)
    assert 0 <= low <= part / whole <= high <= 1
    assert low < high


def test_share_interval_agrees_with_the_published_example() -> None:
    low, high = share_interval(81, 263)  # Newcombe (1998), Statistics in Medicine 17, table I, method 3
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@given(st.floats(0, 1), st.integers(1, 300), st.integers(1, 300))
def test_an_auroc_lies_in_its_interval(area: float, abnormal: int, normal: int) -> None:
    low, high = auroc_interval(area, abnormal, normal)
    assert 0 <= low <= area <= high <= 1
    mirrored = auroc_interval(1 - area, abnormal, normal)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_more_scans_make_an_auroc_surer() -> None:
    few, many = auroc_interval(0.9, 20, 20), auroc_interval(0.9, 2000, 2000)
    assert few[0] < many[0] < 0.9 < many[1] < few[1]


def test_an_auroc_interval_holds_the_truth_about_as_often_as_it_says(rng: np.random.Generator) -> None:
    truth, held = 0.9213503964748575, 0  # of two unit normals two standard deviations apart
    for _ in range(300):
        scores = np.concatenate([rng.normal(size=40), rng.normal(loc=2, size=30)])
        low, high = auroc_interval(auroc(scores, np.arange(70) >= 40), 30, 40)
        held += low <= truth <= high
    assert 0.91 <= held / 300 <= 0.99


def test_without_cases_there_is_no_interval() -> None:
    assert all(math.isnan(end) for end in share_interval(0, 0))
    assert all(math.isnan(end) for end in auroc_interval(math.nan, 0, 5))


@pytest.mark.parametrize(("count", "share"), [(5, 0.5), (20, 0.2), (100, 0.8)])
def test_a_perfect_precision_has_an_interval_that_holds_where_the_truth_is_less(count, share):
    """Of populations that look perfect more often than 1 in 40, none lies below the interval."""
    from scipy.stats import norm

    from atypia.evaluation.metrics import average_precision

    rng = np.random.default_rng(8)
    low, high = perfect_precision_interval(count, count, share)
    assert (high, 0 < low < 1) == (1.0, True)
    for apart in (1.0, 2.0, 3.0, 4.0):
        looks = [rng.normal(apart, size=count).min() > rng.normal(size=count).max() for _ in range(2000)]
        many = 20_000
        scores = np.concatenate(
            [
                norm.ppf(np.linspace(1e-5, 1 - 1e-5, many)),
                apart + norm.ppf(np.linspace(1e-5, 1 - 1e-5, round(many * share / (1 - share)))),
            ]
        )
        true = average_precision(scores, np.arange(len(scores)) >= many)
        assert np.mean(looks) <= 0.025 or true >= low


def test_no_cases_no_interval_of_precision():
    assert np.isnan(perfect_precision_interval(0, 5, 0.5)).all()
    assert np.isnan(perfect_precision_interval(5, 0, 0.5)).all()
