from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.fitness.limit import Limit


@given(st.integers(5, 400), st.sampled_from([0.005, 0.01, 0.1]))
def test_at_most_the_promised_share_of_calibration_ranks_lies_above(count, alpha):
    healthy = np.arange(1.0, count + 1)
    limit = Limit.learn(healthy, alpha, margin=0.0)
    above = (healthy > limit.value).sum()
    assert limit.highest == count
    assert (above + 1) / (count + 1) <= max(alpha, 1 / (count + 1)) + 1e-12


def test_it_is_never_below_the_margin_nor_the_least():
    healthy = np.linspace(0.9, 1.1, 50)
    assert Limit.learn(healthy, 0.01, margin=2.0).value == pytest.approx(2.0)
    assert Limit.learn(healthy, 0.01, margin=0.5, least=3.0).value == 3.0


def test_new_healthy_scans_exceed_it_as_seldom_as_promised(rng):
    exceeded = []
    for _ in range(300):
        drawn = rng.gamma(2.0, size=300)
        limit = Limit.learn(drawn[:150], 0.05, margin=0.0)
        exceeded.append((drawn[150:] > limit.value).mean())
    assert np.mean(exceeded) <= 0.05 + 0.005


@pytest.mark.parametrize("values", [{"value": 0, "highest": 1}, {"value": "x", "highest": 1}, {"value": 1}])
def test_nonsense_is_refused(values):
    with pytest.raises((KeyError, ValueError)):
        Limit.from_dict(values)
