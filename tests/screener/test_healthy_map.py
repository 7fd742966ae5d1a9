from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.errors import CorruptArtefact
from atypia.screener import HealthyMap
from atypia.screener.healthy_depths import HealthyDepths


def test_it_is_learned_from_the_pixels_of_healthy_maps():
    healthy = HealthyMap.learn(np.linspace(0, 1, 1001, dtype=np.float32))
    assert healthy.median == pytest.approx(0.5)
    assert healthy.threshold == pytest.approx(0.995)


@given(st.floats(-1e3, 1e3), st.floats(0, 1e3))
def test_the_scale_of_pictures_starts_at_what_is_unusual(median, above):
    low, high = HealthyMap(median, median + above).heat_scale
    assert low == median + above
    assert high >= low
    assert high - low == pytest.approx(max(above, 1e-12), abs=1e-9)


def test_it_comes_back_from_json():
    healthy = HealthyMap(0.1, 0.30000000000000004)
    assert HealthyMap.from_dict(json.loads(json.dumps(healthy.to_dict()))) == healthy


@pytest.mark.parametrize(
    "values",
    [{}, None, {"median": 1}, {"median": 1, "threshold": "x"}, {"median": float("inf"), "threshold": 1}],
)
def test_values_that_make_no_sense_are_corrupt(values):
    with pytest.raises(CorruptArtefact, match="healthy map cannot be used"):
        HealthyMap.from_dict(values)


def test_the_heat_of_a_share_is_what_so_many_healthy_pixels_have_at_least():
    values = np.random.default_rng(0).normal(size=40_000).astype(np.float32)
    healthy = HealthyMap.learn(values, HealthyDepths.learn(values, np.ones(values.size, np.uint8)))
    for share in (0.5, 0.05, 0.005):
        assert np.mean(values > healthy.heat_at(share)) == pytest.approx(share, rel=0.1)
    assert healthy.heat_at(1e-9) is None
    assert HealthyMap(0.0, 1.0).heat_at(0.5) is None
