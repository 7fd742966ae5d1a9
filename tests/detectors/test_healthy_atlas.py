from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.detectors import Batch
from atypia.detectors.healthy_atlas import SIDE, Expected, HealthyAtlas, departure, enlarged, reduced
from atypia.errors import NotEnoughScans


@pytest.fixture(scope="module")
def everything(healthy):
    return healthy.batch(np.arange(len(healthy)))


@pytest.fixture(scope="module")
def atlas(everything):
    return HealthyAtlas.learn([everything], retrieved=8)


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


@given(size=st.integers(8, 100), side=st.sampled_from([8, 14, 56]), level=st.floats(0, 4))
@settings(deadline=None, max_examples=20)
def test_any_size_is_reduced_and_enlarged_and_flat_stays_flat(size, side, level):
    flat = np.full((2, size, size), level, np.float32)
    small = reduced(flat, side)
    assert (small.shape, small.dtype) == ((2, side, side), np.float32)
    assert np.allclose(small, level, atol=1e-5)
    large = enlarged(small, size)
    assert (large.shape, large.dtype) == (flat.shape, np.float32)
    assert np.allclose(large, level, atol=1e-5)


def test_a_multiple_is_averaged_over_squares(rng):
    stack = rng.random((2, 12, 12), dtype=np.float32)
    assert np.allclose(reduced(stack, 4), stack.reshape(2, 4, 3, 4, 3).mean((2, 4)))


def test_what_is_expected_is_in_the_scan_s_own_units(atlas, twins):
    """A scan that is half as bright is the same scan: all is in units of its brain's median."""
    ill = twins[1]
    for bright, dim in zip(
        (values for values in vars(atlas.expect(ill)).values()),
        (values for values in vars(atlas.expect(Batch(ill.pixels / 2, ill.foreground))).values()),
        strict=True,
    ):
        assert bright.shape == (6, SIDE, SIDE)
        assert bright.dtype == np.float32
        assert np.allclose(bright, dim, atol=1e-3)


def test_a_lesion_is_brighter_than_expected_and_than_the_other_side(atlas, twins):
    well, ill = (atlas.expect(batch) for batch in twins)
    lesion = reduced(np.abs(twins[1].pixels - twins[0].pixels), SIDE) > 0.2
    assert ill.brighter[lesion].mean() > 5 * well.brighter[lesion].mean()
    assert ill.asymmetry[lesion].mean() > 5 * abs(well.asymmetry[lesion].mean())
    assert np.abs(ill.median - well.median).mean() < 0.1


def test_a_dark_place_is_darker_than_expected(atlas, twins, heads_of):
    dark = heads_of(6, seed=9, lesion=-0.3).batch(np.arange(6))
    lesion = reduced(np.abs(dark.pixels - twins[0].pixels), SIDE) > 0.1
    well, ill = atlas.expect(twins[0]), atlas.expect(dark)
    assert ill.darker[lesion].mean() > 3 * well.darker[lesion].mean()
    assert departure(ill, dark=1.0)[lesion].mean() > 3 * departure(ill)[lesion].mean()


def test_what_is_apart_is_not_retrieved(healthy, everything):
    """Each of the scans lies in the bank: with itself it departs less than without."""
    bank = HealthyAtlas.learn([everything], retrieved=2)
    beside = bank.expect(everything)
    apart = bank.expect(everything, [np.array([i]) for i in range(len(healthy))])
    assert apart.brighter.mean() > beside.brighter.mean()
    for own in (np.arange(31), np.array([], int)):
        part = healthy.batch(np.array([31]))
        assert all(np.isfinite(values).all() for values in vars(bank.expect(part, [own])).values())


def test_nothing_left_to_compare_with_is_an_error(atlas, twins):
    with pytest.raises(NotEnoughScans, match="holds 32, all of its own group"):
        atlas.expect(Batch(twins[0].pixels[:1], twins[0].foreground[:1]), [np.arange(32)])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_scans_make_an_atlas(heads_of, twins, count):
    few = HealthyAtlas.learn([heads_of(count).batch(np.arange(count))])
    assert len(few) == count
    found = departure(few.expect(twins[1]))
    assert np.isfinite(found).all()
    assert found.max() > departure(few.expect(twins[0])).max()


def test_the_parts_it_is_learned_from_do_not_matter(healthy, atlas, twins):
    parts = HealthyAtlas.learn((healthy.batch(np.arange(i, i + 8)) for i in range(0, 32, 8)), retrieved=8)
    found, expected = parts.expect(twins[1]), atlas.expect(twins[1])
    assert all(np.array_equal(vars(found)[name], values) for name, values in vars(expected).items())


def test_scans_without_a_brain_depart_from_nothing(atlas, twins):
    pixels, heads = twins[1].pixels, twins[1].foreground
    found = atlas.expect(Batch(pixels, heads, np.zeros_like(heads)))
    assert all(np.isfinite(values).all() for values in vars(found).values())
    assert (departure(found, dark=1.0) == 0).all()
    blank = atlas.expect(Batch(np.zeros_like(pixels), np.zeros_like(heads)))
    assert all(np.isfinite(values).all() for values in vars(blank).values())


def test_without_symmetry_brightness_alone_counts():
    one, none = np.ones((1, 8, 8), np.float32), np.zeros((1, 8, 8), np.float32)
    alone = departure(Expected(one, one, 4 * one, 9 * one, none), dark=0.5)
    assert np.allclose(alone, 4.5)
    both = departure(Expected(one, one, 4 * one, 9 * one, 9 * one), dark=0.5)
    assert np.allclose(both, 6)
    dim = departure(Expected(one, one, none, 9 * one, -4 * one), dark=0.5)
    assert np.allclose(dim, 3)


def test_arrays_of_other_shapes_are_refused(atlas):
    for name, values in atlas.arrays().items():
        with pytest.raises(ValueError, match="received arrays of other shapes"):
            HealthyAtlas.of_arrays({**atlas.arrays(), name: values[:1]}, 8)
