from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.detectors.heat import cells_of_heads, highest, highest_shares, resampling, to_cells, to_pixels


@given(cells=st.integers(1, 20), times=st.integers(1, 5), window=st.sampled_from([1, 3, 5]))
@settings(deadline=None)
def test_a_matrix_on_either_side_averages_and_interpolates_as_scipy_does(cells, times, window):
    heat = np.random.default_rng(cells).random((cells, cells), dtype=np.float32)
    matrix = resampling(cells, cells * times, window)
    averaged = ndimage.uniform_filter(heat, window, mode="nearest")
    expected = ndimage.zoom(averaged, times, order=1, mode="nearest", grid_mode=True)
    assert np.allclose(matrix @ heat @ matrix.T, expected, atol=1e-5)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_the_map_of_pixels_is_nothing_outside_the_head(rng):
    heat = rng.random((2, 4, 4), dtype=np.float32)
    head = rng.random((2, 16, 16)) > 0.5
    pixels = to_pixels(heat, head)
    assert (pixels.shape, pixels.dtype) == ((2, 16, 16), np.float32)
    assert (pixels[~head] == 0).all()
    assert (pixels[head] > 0).all()


def test_a_cell_is_of_the_head_where_most_of_it_is():
    mask = np.zeros((1, 8, 8), bool)
    mask[0, :4, :4] = True
    mask[0, 4:, 4:6] = True  # half of a cell is not most of it
    assert to_cells(mask, 2)[0].tolist() == [[True, False], [False, False]]


def test_the_highest_share_is_taken_inside_the_head_alone():
    heat = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    head = np.zeros((1, 4, 4), bool)
    head[0, 1] = True  # holds 4, 5, 6 and 7
    assert highest(heat, head, 0.5)[0] == pytest.approx(6.5)
    assert highest(heat, head, 0.01)[0] == 7
    assert highest(heat, np.zeros_like(head), 0.125)[0] == pytest.approx(14.5)


def test_the_cells_of_heads_are_all_that_a_map_of_pixels_is_made_from(rng):
    heads = np.zeros((2, 32, 32), bool)
    heads[0, 9:13, 5:20] = True
    heat = rng.random((2, 8, 8), dtype=np.float32)
    wanted = cells_of_heads(heads, 8)
    assert 0 < wanted[0].mean() < 0.5
    assert wanted[1].all()
    assert (wanted | ~to_cells(heads, 8)).all()
    assert np.array_equal(to_pixels(heat * wanted, heads), to_pixels(heat, heads))


def test_several_shares_are_each_what_one_is(rng):
    heat, heads = rng.random((3, 9, 9), dtype=np.float32), rng.random((3, 9, 9)) < 0.5
    tops = (0.05, 0.3, 1.0)
    assert np.array_equal(highest_shares(heat, heads, tops), [highest(heat, heads, top) for top in tops])
