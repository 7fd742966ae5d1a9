from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from atypia.monitoring.promise import Promise, size_of
from atypia.threshold import Threshold


def stream(rng, healthy, scans):
    return Threshold.learn(rng.normal(size=healthy)).p_values(rng.normal(size=scans))


@pytest.mark.parametrize("cut", [0.0, 0.2])
@pytest.mark.parametrize("healthy", [9, 60])
def test_ranks_are_uniform_and_independent_however_small_the_calibration(rng, healthy, cut):
    promise = Promise(healthy, cut)
    first, last = [], []
    for _ in range(1500):
        p_values = stream(rng, healthy, 15)
        ranks = promise.ranks(p_values[promise.looked_at(p_values)], rng)
        if len(ranks) > 5:
            first.append(ranks[0])
            last.append(ranks[5])
    assert stats.kstest(first, "uniform").pvalue > 0.001
    assert stats.kstest(last, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(first, last)[0, 1]) < 0.1


def test_p_values_themselves_are_not_independent_of_a_small_calibration(rng):
    """The reason why ranks are used: what one small calibration got wrong, it gets wrong for all."""
    pairs = np.array([stream(rng, 9, 2) for _ in range(1500)])
    assert np.corrcoef(pairs.T)[0, 1] > 0.05


@pytest.mark.parametrize("healthy", [19, 50])
def test_the_number_of_low_p_values_is_beta_binomial(rng, healthy):
    promise = Promise(healthy)
    counts = [int(promise.low(stream(rng, healthy, 40), 0.1).sum()) for _ in range(3000)]
    expected, _ = promise.counts(40, 0.1, 0.0)
    found = np.bincount(counts, minlength=41) / len(counts)
    assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() < 0.03
    assert expected.sum() == pytest.approx(1)
    assert promise.expected(0.1) <= 0.1


def test_abnormal_scans_may_or_may_not_be_low():
    most, fewest = Promise(99).counts(50, 0.05, 0.2)
    plain, _ = Promise(99).counts(50, 0.05, 0.0)
    counts = np.arange(51)
    assert most @ counts == pytest.approx(50 * (0.2 + 0.8 * 0.05))
    assert fewest @ counts == pytest.approx(50 * 0.8 * 0.05)
    assert plain @ counts == pytest.approx(50 * 0.05)


def test_a_large_calibration_is_binomial():
    most, _ = Promise(None).counts(30, 0.1, 0.0)
    assert most == pytest.approx(stats.binom.pmf(np.arange(31), 30, 0.1))
    large, _ = Promise(10**7 - 1).counts(30, 0.1, 0.0)
    assert large == pytest.approx(most, abs=1e-5)


def test_the_cut_leaves_what_is_above_it():
    p_values = np.arange(1, 21) / 20
    assert p_values[Promise(19, 0.2).looked_at(p_values)].min() == 0.25
    assert p_values[Promise(None, 0.2).looked_at(p_values)].min() == 0.25
    assert Promise(19, 0.2).low(p_values, 0.5).sum() == 12


@pytest.mark.parametrize("healthy", [5, 37, 150])
def test_the_size_of_a_calibration_is_read_off_its_p_values(rng, healthy):
    assert size_of(stream(rng, healthy, 2000)) == healthy


def test_p_values_of_groups_tell_no_size(rng):
    threshold = Threshold.learn(rng.normal(size=90), groups=rng.integers(0, 20, 90).tolist())
    assert size_of(threshold.p_values(rng.normal(size=500))) is None


def test_a_calibration_too_small_for_the_share_counts_its_smallest_p_value():
    promise = Promise(12)
    assert promise.expected(0.05) == pytest.approx(1 / 13)
    assert promise.low(np.array([1, 2, 13]) / 13, 0.05).tolist() == [True, False, False]
    most, _ = promise.counts(50, 0.05, 0.0)
    assert most.sum() == pytest.approx(1)
    assert np.arange(51) @ most == pytest.approx(50 / 13)
