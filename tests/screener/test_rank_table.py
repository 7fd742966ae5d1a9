from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.errors import CorruptArtefact
from atypia.screener.rank_table import RankTable

VALUES = arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e6, 1e6))


def plain(healthy: np.ndarray, asked: np.ndarray) -> np.ndarray:
    return (1 + (healthy[None] >= asked[:, None]).sum(axis=1)) / (1 + healthy.size)


@given(VALUES, arrays(np.float64, 20, elements=st.floats(-2e6, 2e6)))
def test_few_values_give_the_p_value_by_counting(healthy, asked):
    both = np.concatenate([asked, healthy])
    assert RankTable.learn(healthy).p_values(both) == pytest.approx(plain(healthy, both))


def test_many_values_never_give_a_p_value_that_is_too_small(rng):
    healthy, asked = rng.normal(size=50_000), np.sort(rng.normal(size=2000))
    table = RankTable.learn(healthy)
    found, exact = table.p_values(asked), plain(healthy, asked)
    assert table.values.size < 250
    assert (found >= exact - 1e-12).all()
    assert (found <= 1.3 * exact + 1e-4).all()
    assert (np.diff(found) <= 0).all()
    assert found.min() > 0
    assert found.max() <= 1


@pytest.mark.parametrize("count", [19, 100, 5000])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_above_the_value_at_a_share_the_p_value_is_at_most_that(rng, count, share):
    table = RankTable.learn(rng.normal(size=count))
    value = table.value_at(share)
    assert table.p_values(np.nextafter(value, np.inf)) <= share * (1 + 1e-9)
    assert table.p_values(value) > share


def test_too_few_values_reach_no_rare_share():
    assert RankTable.learn(np.arange(18.0)).value_at(0.05) == np.inf
    assert RankTable.learn(np.zeros(0)).value_at(0.5) == np.inf
    assert RankTable.learn(np.zeros(0)).p_values(3.0) == 1


@pytest.mark.parametrize("count", [0, 7, 3000])
def test_it_comes_back_from_json(rng, count):
    table = RankTable.learn(rng.normal(size=count))
    again = RankTable.from_dict(json.loads(json.dumps(table.to_dict())))
    asked = rng.normal(size=100)
    assert np.array_equal(again.p_values(asked), table.p_values(asked))


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"count": 2, "ranks": [2, 1], "values": [1.0]},
        {"count": 2, "ranks": [2, 1], "values": [2.0, 1.0]},
        {"count": 2, "ranks": [1, 2], "values": [1.0, 2.0]},
        {"count": 2, "ranks": [2, 1], "values": [1.0, float("nan")]},
        {"count": 9, "ranks": [2, 1], "values": [1.0, 2.0]},
        {"count": 2, "ranks": [2, 0], "values": [1.0, 2.0]},
        {"count": "many", "ranks": [2, 1], "values": [1.0, 2.0]},
    ],
)
def test_what_is_no_table_is_corrupt(saved):
    with pytest.raises(CorruptArtefact, match="table of healthy values cannot be used"):
        RankTable.from_dict(saved)
