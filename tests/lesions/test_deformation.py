from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.lesions import deform
from atypia.lesions.deformation import sampled
from atypia.lesions.field_bank import field_bank


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=10)
def test_all_layers_of_a_scan_move_alike_and_stay_in_their_range(layers, seed):
    given_ = layers(2)
    first, again = (deform(np.random.default_rng(seed), given_, field_bank(48, 0)) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (given_.shape, np.float32)
    assert np.allclose(first[:, 2], 2 * first[:, 0], atol=1e-4)
    assert first.min() >= 0
    assert (first.max((2, 3)) <= given_.max((2, 3)) + 1e-5).all()


def test_heads_change_their_shape_and_keep_about_their_size(layers, rng):
    given_ = np.repeat(layers(1), 20, axis=0)
    moved = deform(rng, given_, field_bank(48, 0))
    areas = (moved[:, 1] > 0).sum((1, 2)) / (given_[:, 1] > 0).sum((1, 2))
    assert areas.std() > 0.02
    assert 0.7 < areas.mean() < 1.3
    assert len({scan.tobytes() for scan in moved}) == 20


def test_what_is_given_stays_as_it_is(layers, rng):
    given_ = layers(2)
    kept = given_.copy()
    deform(rng, given_, field_bank(48, 0))
    assert np.array_equal(given_, kept)


def test_sampling_at_the_pixels_themselves_gives_them_back_and_nothing_comes_from_outside():
    layers = np.random.default_rng(0).random((2, 8, 8), dtype=np.float32)
    rows, columns = np.mgrid[:8, :8].astype(np.float32)
    assert np.allclose(sampled(layers, rows, columns)[:, :7, :7], layers[:, :7, :7])
    between = sampled(layers, rows + np.float32(0.5), columns)
    assert np.allclose(between[:, :7, :7], (layers[:, :7, :7] + layers[:, 1:, :7]) / 2)
    assert (sampled(layers, rows + 20, columns) == 0).all()
    assert (sampled(layers, rows, columns - 20) == 0).all()
