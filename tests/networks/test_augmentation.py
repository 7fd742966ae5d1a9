from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from atypia.networks.augmentation import augment
from atypia.networks.recipe import RECIPES


@pytest.fixture(scope="module")
def heads(draw_heads):
    return draw_heads(6, size=48)


@given(st.integers(0, 10_000))
def test_copies_have_the_shape_type_and_range_of_the_scan(heads, seed):
    pixels, foreground = heads[0][:1], heads[1][:1]
    copy, mask = augment(pixels, foreground, [(seed, 1, 0)])
    assert (copy.shape, copy.dtype) == (pixels.shape, np.float32)
    assert (mask.shape, mask.dtype) == (foreground.shape, np.bool_)
    assert copy.min() >= 0
    assert copy.max() <= 1
    assert 0.6 < mask.sum() / foreground.sum() < 1.5


def test_same_seeds_give_the_same_copies_and_others_others(heads):
    seeds = [(3, 1, place) for place in range(6)]
    first, again = augment(*heads, seeds), augment(*heads, seeds)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    other, _ = augment(*heads, [(4, 1, place) for place in range(6)])
    assert (np.abs(other - first[0]).max(axis=(1, 2)) > 0.05).all()


def test_a_copy_depends_on_its_own_seed_alone(heads):
    together, _ = augment(*heads, [(3, 1, place) for place in range(6)])
    alone, _ = augment(heads[0][4:5], heads[1][4:5], [(3, 1, 4)])
    assert np.array_equal(together[4], alone[0])


def test_the_originals_stay_as_they_are(heads):
    before = heads[0].copy(), heads[1].copy()
    augment(*heads, [(1, place) for place in range(6)])
    assert np.array_equal(heads[0], before[0])
    assert np.array_equal(heads[1], before[1])


def test_the_mask_goes_where_the_picture_goes():
    """A picture that is its own mask stays on it; a picture left behind would be off by half its width."""
    box = np.zeros((1, 64, 64), bool)
    box[:, 20:50, 8:30] = True
    for seed in range(30):
        copy, mask = augment(box.astype(np.float32), box, [(seed,)])
        bright = ndimage.gaussian_filter(copy[0], 1) > 0.4 * copy[0].max()
        overlap = 2 * (bright & mask[0]).sum() / (bright.sum() + mask[0].sum())
        assert overlap > 0.8


def test_some_copies_are_mirrored_and_anatomy_stays_near_its_place():
    dot = np.zeros((1, 64, 64), np.float32)
    dot[:, 30:34, 10:14] = 1
    columns = []
    for seed in range(40):
        copy, _ = augment(dot, dot > 0, [(seed,)])
        row, column = ndimage.center_of_mass(copy[0] ** 4)
        columns.append(column)
        assert abs(row - 31.5) < 9
        assert min(abs(column - 11.5), abs(column - 51.5)) < 6
    assert 8 < sum(column > 32 for column in columns) < 32


def test_the_strict_reference_alters_nothing():
    assert RECIPES["reference"].augment == 0
    assert RECIPES["autoencoder"].augment > 0
