from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.lesions import LesionSettings, LesionSimulator
from atypia.lesions.simulation import LEAST_CHANGE, smooth

SIZE = 48
SHARES = [item.name for item in fields(LesionSettings) if item.type == "float" and item.name != "skull"]
some_settings = st.builds(
    lambda shares, skull, low, high: LesionSettings(
        **dict(zip(SHARES, shares, strict=True)), skull=skull, radius=(low, low + high)
    ),
    st.lists(st.floats(0, 1), min_size=len(SHARES), max_size=len(SHARES)),
    st.floats(0, 0.1),
    st.floats(0.03, 0.2),
    st.floats(0, 0.2),
)


@given(given_=some_settings, seed=st.integers(0, 2**32), count=st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_lesions_lie_inside_the_head_and_all_numbers_are_numbers(layers, given_, seed, count):
    healthy = layers(count)
    kept = healthy.copy()
    pixels, mask = LesionSimulator(SIZE, given_).add(
        np.random.default_rng(seed), healthy[:, 0], healthy[:, 1]
    )
    assert (pixels.shape, pixels.dtype) == ((count, SIZE, SIZE), np.float32)
    assert (mask.shape, mask.dtype) == ((count, SIZE, SIZE), np.bool_)
    assert np.isfinite(pixels).all()
    assert pixels.min() >= 0
    outside = healthy[:, 1] == 0
    assert not mask[outside].any()
    if not given_.mass:  # which moves what lies at the surface, a little
        assert np.array_equal(pixels[outside], healthy[:, 0][outside])
    assert np.array_equal(healthy, kept)


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=8)
def test_the_same_generator_gives_the_same_scans(layers, seed):
    simulate = LesionSimulator(SIZE, LesionSettings(mass=0.5, ring=0.5, tissue=0.5), seed=1)
    first, again = (simulate(np.random.default_rng(seed), layers(3)) for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.mask, again.mask)
    assert np.array_equal(first.layers, again.layers)
    other = simulate(np.random.default_rng(seed + 1), layers(3))
    assert not np.array_equal(first.pixels, other.pixels)


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=15)
def test_the_mask_is_where_pixels_changed_enough(layers, seed):
    healthy = layers(4)
    simulate = LesionSimulator(SIZE, LesionSettings(several=0.0))
    pixels, mask = simulate.add(np.random.default_rng(seed), healthy[:, 0], healthy[:, 1])
    change = smooth(np.abs(pixels - healthy[:, 0]), 5)
    assert (change[mask] > LEAST_CHANGE).all()


def test_of_sharp_lesions_nothing_is_left_out_of_the_mask(layers, rng):
    healthy = layers(40)
    simulate = LesionSimulator(SIZE, LesionSettings(several=0.0, edge=(0.01, 0.01), contrast=(0.5, 1.0)))
    pixels, mask = simulate.add(rng, healthy[:, 0], healthy[:, 1])
    changed = np.abs(pixels - healthy[:, 0]) > 0.1
    assert (mask & changed).sum() > 0.9 * changed.sum()


def test_as_many_scans_as_asked_for_have_no_lesion(layers, rng):
    healthy = np.repeat(layers(4), 60, axis=0)
    for share in (0.0, 0.3, 1.0):
        simulate = LesionSimulator(
            SIZE, LesionSettings(healthy=share, contrast=(0.8, 1.0), radius=(0.1, 0.2))
        )
        spared = 1 - simulate(rng, healthy).mask.any((1, 2)).mean()
        assert spared == pytest.approx(share, abs=0.1)


def test_brightness_follows_its_share(layers, rng):
    healthy = layers(60)
    sign = {}
    for share in (0.0, 1.0):
        given_ = LesionSettings(bright=share, core=0, several=0, contrast=(0.5, 0.7), radius=(0.15, 0.2))
        pixels, mask = LesionSimulator(SIZE, given_).add(rng, healthy[:, 0], healthy[:, 1])
        sign[share] = (pixels - healthy[:, 0])[mask].mean()
    assert sign[0.0] < -0.05
    assert sign[1.0] > 0.1


def test_lesions_end_as_deep_below_the_surface_as_asked_for(layers, rng):
    healthy = layers(30)
    for skull in (0.0, 0.05, 0.1):
        simulate = LesionSimulator(SIZE, LesionSettings(skull=skull, contrast=(0.8, 1.0)))
        _, mask = simulate.add(rng, healthy[:, 0], healthy[:, 1])
        assert healthy[:, 1][mask].min() > skull - 0.005


@pytest.mark.parametrize("kind", ["mass", "ring", "tissue", "core"])
def test_every_kind_of_lesion_changes_what_is_drawn(layers, kind):
    healthy, plain = layers(6), LesionSettings(core=0.0, radius=(0.15, 0.25))
    drawn = [
        LesionSimulator(SIZE, given_).add(np.random.default_rng(4), healthy[:, 0], healthy[:, 1])[0]
        for given_ in (plain, replace(plain, **{kind: 1.0}))
    ]
    assert not np.allclose(*drawn)


def test_more_lesions_cover_more(layers):
    healthy = np.repeat(layers(4), 10, axis=0)
    covered = []
    for several in (0.0, 1.0):
        simulate = LesionSimulator(SIZE, LesionSettings(several=several))
        covered.append(simulate.add(np.random.default_rng(1), healthy[:, 0], healthy[:, 1])[1].mean())
    assert covered[1] > 1.3 * covered[0]


def test_scans_vary_as_scanners_do_and_other_layers_are_carried_along(layers, rng):
    simulate = LesionSimulator(SIZE, LesionSettings(healthy=1.0))
    drawn = simulate(rng, np.repeat(layers(1), 30, axis=0))
    assert not drawn.mask.any()
    assert drawn.layers.shape == (30, 1, SIZE, SIZE)
    assert drawn.pixels.min() >= 0
    assert drawn.pixels.max() <= 4
    healthy = drawn.layers[:, 0] / 2
    inside = healthy > 0.5
    ratio = [np.median(p[i] / h[i]) for p, h, i in zip(drawn.pixels, healthy, inside, strict=True)]
    assert 0.02 < np.std(ratio) < 0.3
    assert np.mean(ratio) == pytest.approx(1, abs=0.1)


def test_a_scan_without_a_head_gets_no_lesion(rng):
    empty = np.zeros((3, 2, SIZE, SIZE), np.float32)
    drawn = LesionSimulator(SIZE)(rng, empty)
    assert not drawn.mask.any()
    assert np.isfinite(drawn.pixels).all()
