from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.errors import CorruptArtefact
from atypia.screener.depth import BINS, depth_bins
from atypia.screener.healthy_depths import LEVEL, HealthyDepths


@pytest.fixture(scope="module")
def heads(draw_heads):
    return draw_heads(30, size=64)


@pytest.fixture(scope="module")
def deeper_is_higher(heads):
    """Maps that rise with depth, with some noise, and what was learned from them."""
    rng = np.random.default_rng(3)
    _, foreground = heads
    layers = np.stack([depth_bins(head) for head in foreground])
    heats = (layers + rng.normal(0, 0.5, layers.shape)).astype(np.float32) * foreground
    return heats, HealthyDepths.learn(heats[foreground], layers[foreground])


@pytest.mark.parametrize("size", [32, 64, 100, 224, 301])
def test_layers_rise_from_the_surface_to_the_core(draw_heads, size):
    _, (head,) = draw_heads(1, size=size)
    layers = depth_bins(head)
    assert layers.shape == head.shape
    assert ((layers > 0) == head).all()
    assert layers.max() == BINS
    exact = ndimage.distance_transform_edt(head)
    exact = exact / exact.max() * BINS
    assert np.abs(layers[head] - np.ceil(exact[head])).mean() < 1.2
    assert layers[head & ~ndimage.binary_erosion(head)].max() <= max(2, 110 / size + 2)


def test_an_empty_head_has_no_depth():
    assert not depth_bins(np.zeros((64, 64), bool)).any()


def test_layers_do_not_depend_on_where_the_head_lies(draw_heads):
    _, (head,) = draw_heads(1, size=50)
    moved = np.pad(head, ((0, 0), (0, 0)))
    assert np.array_equal(depth_bins(np.flip(moved)), np.flip(depth_bins(head)))


def test_the_share_of_healthy_pixels_with_a_small_p_value_is_that_value(deeper_is_higher, heads):
    heats, depths = deeper_is_higher
    deep = [h.p_values(m, f)[f] for h, m, f in zip([depths] * 30, heats, heads[1], strict=True)]
    found = np.concatenate(deep)
    for level in (0.01, 0.05, 0.2):
        assert (found <= level).mean() <= 1.02 * level


def test_what_is_usual_at_the_core_is_unusual_near_the_surface(deeper_is_higher, heads):
    _, depths = deeper_is_higher
    head = heads[1][0]
    layers = depth_bins(head)
    found = [depths.tables[layer].p_values(10.0) for layer in (2, BINS - 2, BINS)]
    assert found[0] < 0.01
    assert found[1] < found[2]
    assert found[2] > 0.9
    assert depths.p_values(np.full(head.shape, 10.0, np.float32), head)[layers == 0].min() == 1


@settings(max_examples=25)
@given(st.floats(0.25, 8), st.integers(-8, 8), st.integers(0, 29))
def test_p_values_are_shares_and_excess_is_where_they_are_small(deeper_is_higher, heads, gain, shift, place):
    heats, depths = deeper_is_higher
    head = heads[1][place]
    heat = (gain * heats[place] + shift).astype(np.float32)
    found = depths.p_values(heat, head)
    assert ((found > 0) & (found <= 1)).all()
    assert (found[~head] == 1).all()
    assert np.array_equal(depths.excess(heat, head) > 0, found <= LEVEL * (1 + 1e-9))
    assert (depths.p_values(heat + 1, head) <= found).all()
    assert (depths.excess(heat + 1, head) >= depths.excess(heat, head)).all()


def test_excess_does_not_change_with_the_units_of_the_map(heads):
    rng = np.random.default_rng(5)
    heat, head = rng.gamma(2, size=(64, 64)).astype(np.float32), heads[1][0]
    bins = depth_bins(head)
    before = HealthyDepths.learn(heat[head], bins[head]).excess(heat, head)
    other = (5 * heat + 3).astype(np.float32)
    after = HealthyDepths.learn(other[head], bins[head]).excess(other, head)
    assert before.max() > 0
    assert after == pytest.approx(before, abs=1e-4)


def test_where_all_healthy_maps_are_alike_nothing_stands_out(heads):
    head = heads[1][0]
    depths = HealthyDepths.learn(np.ones(500, np.float32), np.full(500, 1, np.uint8))
    assert not depths.excess(np.full(head.shape, 9, np.float32), head).any()


def test_it_comes_back_from_json(deeper_is_higher, heads):
    heats, depths = deeper_is_higher
    again = HealthyDepths.from_list(json.loads(json.dumps(depths.to_list())))
    head = heads[1][0]
    assert np.array_equal(again.excess(heats[0], head), depths.excess(heats[0], head))


def test_tables_for_other_depths_are_corrupt(deeper_is_higher):
    saved = deeper_is_higher[1].to_list()
    with pytest.raises(CorruptArtefact, match="13 tables"):
        HealthyDepths.from_list(saved[:-1])
    with pytest.raises(CorruptArtefact, match="13 tables"):
        HealthyDepths.from_list("tables")  # type: ignore[arg-type]
