from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.detectors.heat import highest, resampling, to_cells, to_pixels


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
