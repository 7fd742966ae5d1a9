from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from atypia.errors import CorruptArtefact
from atypia.screener.healthy_regions import HealthyRegions, adjusted

MASSES = st.lists(
    arrays(np.float64, st.integers(0, 6), elements=st.floats(1e-3, 1e3)), min_size=1, max_size=30
)


def healthy_scans(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Some scans have many regions and some none; those of one scan are alike."""
    sizes = rng.poisson(3, count)
    return [rng.gamma(2) * rng.exponential(size=size) for size in sizes]


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)))
def test_the_adjustment_is_that_of_scipy(p_values):
    assert adjusted(p_values) == pytest.approx(false_discovery_control(p_values, method="bh"))


def test_nothing_adjusted_is_nothing():
    assert adjusted(np.zeros(0)).size == 0


def test_at_most_the_share_asked_of_healthy_scans_has_a_region():
    rng = np.random.default_rng(11)
    told = {0.1: 0, 0.05: 0}
    deals, new = 60, 60
    for _ in range(deals):
        scans = healthy_scans(rng, 39 + new)
        learned = HealthyRegions.learn(scans[:39])
        lowest = np.array([learned.p_values(masses).min(initial=1.0) for masses in scans[39:]])
        for share in told:
            told[share] += int((lowest <= share).sum())
    for share, count in told.items():
        deviation = np.sqrt(share * (1 - share) * (1 / deals / 39 + 1 / deals / new))
        assert count / (deals * new) == pytest.approx(share, abs=3 * deviation + 0.005)


@given(MASSES, arrays(np.float64, st.integers(1, 8), elements=st.floats(1e-3, 1e3)))
def test_p_values_are_shares_and_the_heavier_region_has_the_smaller(scans, masses):
    found = HealthyRegions.learn(scans).p_values(masses)
    assert ((found > 0) & (found <= 1)).all()
    assert (found >= 1 / (len(scans) + 1) - 1e-12).all()
    assert (np.diff(found[np.argsort(masses)]) <= 0).all()


def test_few_healthy_scans_cannot_tell_a_region_at_a_tenth(rng):
    huge = np.array([1e9])
    assert HealthyRegions.learn(healthy_scans(rng, 8)).p_values(huge) > 0.1
    assert HealthyRegions.learn(healthy_scans(rng, 9)).p_values(huge) == pytest.approx(0.1)
    assert HealthyRegions.learn(healthy_scans(rng, 8)).card()["told"] == "none: 9 healthy scans needed"
    assert HealthyRegions.learn(healthy_scans(rng, 9)).card()["told"] == "those with p at most 0.1"


def test_healthy_scans_without_any_region_tell_none():
    learned = HealthyRegions.learn([np.zeros(0)] * 30)
    assert learned.p_values(np.array([5.0])).tolist() == [1.0]


def test_it_comes_back_from_json(rng):
    learned = HealthyRegions.learn(healthy_scans(rng, 50))
    again = HealthyRegions.from_dict(json.loads(json.dumps(learned.to_dict())))
    masses = rng.exponential(3, 20)
    assert np.array_equal(again.p_values(masses), learned.p_values(masses))


@pytest.mark.parametrize("saved", [{}, {"masses": {}, "lowest": {}}, "text"])
def test_what_is_not_that_is_corrupt(saved):
    with pytest.raises(CorruptArtefact, match="cannot be used"):
        HealthyRegions.from_dict(saved)
