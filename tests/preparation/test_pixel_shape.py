"""A head has the same shape on the canvas, whatever the shape of the pixels it was taken with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, rotate

from atypia.detectors import DETECTORS
from atypia.errors import UnreadableScan
from atypia.preparation import Geometry, Preparation, Prepared
from atypia.preparation.pixel_shape import shape_in_mm
from atypia.scan import Scan
from atypia.screener import Screener


def head(seed: int, side: int = 128, turned: float = 0.0) -> Scan:
    """A smooth head with a bright spot, in square pixels of 1 mm."""
    rng = np.random.default_rng(seed)
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    skull = (rows / rng.uniform(0.36, 0.42)) ** 2 + (columns / rng.uniform(0.28, 0.33)) ** 2 < 1
    spot = np.hypot(rows - rng.uniform(-0.2, 0.2), columns - rng.uniform(-0.15, 0.15)) < 0.07
    pixels = gaussian_filter(100.0 * skull + 80.0 * spot, 2.0)
    pixels = rotate(pixels, turned, reshape=False, order=1) if turned else pixels
    return Scan(pixels.astype(np.float32), "a", spacing=(1.0, 1.0))


def coarser(scan: Scan, axis: int, factor: int = 2) -> Scan:
    """The same slice with pixels that are so much longer along one axis."""
    height, width = (side // (factor if place == axis else 1) for place, side in enumerate(scan.pixels.shape))
    picture = PIL.Image.fromarray(scan.pixels).resize((width, height), PIL.Image.Resampling.BOX)
    spacing = tuple(float(factor) if place == axis else 1.0 for place in (0, 1))
    return replace(scan, pixels=np.asarray(picture), spacing=spacing)


def apart(one: Prepared, other: Prepared) -> float:
    return float(np.abs(one.pixels - other.pixels).mean())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 200), st.sampled_from([0, 1]), st.sampled_from([0.0, 12.0]))
def test_a_slice_resampled_along_one_axis_is_prepared_alike(seed, axis, turned):
    scan = head(seed, turned=turned)
    preparation = Preparation(size=96)
    whole, half = preparation(scan), preparation(coarser(scan, axis))
    assume((whole.upright > 0) == (half.upright > 0))  # whether a mid-line is sure may hang on a hair
    assert apart(whole, half) < 0.03
    assert np.mean(whole.foreground != half.foreground) < 0.04
    squeezed = replace(preparation, square_pixels=False)(coarser(scan, axis))
    assert apart(whole, squeezed) > 2 * apart(whole, half)


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener(DETECTORS["atlas"](), Preparation(size=64), fitness=False).fit(
        [head(n) for n in range(40)]
    )


@settings(deadline=None, max_examples=10)
@given(st.integers(100, 200), st.sampled_from([0, 1]))
def test_and_it_scores_alike(screener, seed, axis):
    scan = head(seed)
    first, second = (finding.score for finding in screener.score([scan, coarser(scan, axis)]))
    spread = float(screener.threshold_.healthy.std())
    assert abs(second - first) < spread


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("turned", [0.0, 12.0])
def test_the_map_comes_back_to_the_pixels_of_the_file(axis, turned):
    scan = coarser(head(5, turned=turned), axis)
    prepared = Preparation(size=96)(scan)
    back = prepared.geometry.to_input(prepared.pixels)
    assert back.shape == scan.pixels.shape
    shown = scan.pixels > 20
    assert np.corrcoef(back[shown], scan.pixels[shown])[0, 1] > 0.97


@given(
    st.tuples(st.integers(10, 60), st.integers(10, 60)),
    st.tuples(st.integers(10, 60), st.integers(10, 60)),
    st.floats(-0.4, 0.4),
)
def test_a_map_on_another_grid_is_the_same_map(shape, other, angle):
    first = Geometry.of_turned_box(shape, 32, (shape[0] / 2, shape[1] / 2), (20.0, 25.0), angle)
    second = first.on_grid(other)
    points = np.array([[0.0, 0.0], [31.0, 3.0], [10.0, 20.0]])
    there = (first.to_pixels(points) + 0.5) / shape
    np.testing.assert_allclose((second.to_pixels(points) + 0.5) / other, there, atol=1e-9)
    np.testing.assert_allclose(second.to_canvas(second.to_pixels(points)), points, atol=1e-6)


def test_what_the_file_says_of_its_pixels_may_be_wrong():
    assert shape_in_mm((30, 40), (0.0, 1.0)) == (30, 40)
    assert shape_in_mm((30, 40), (float("nan"), 1.0)) == (30, 40)
    assert shape_in_mm((30, 40), (1.0, 1.005)) == (30, 40)
    with pytest.raises(UnreadableScan, match="a factor of 8 at most, received pixels of 1000 x 1 mm"):
        Preparation(size=64)(replace(head(0), spacing=(1000.0, 1.0)))


def test_a_slab_of_thick_slices_is_no_strip():
    """Ten times as many columns as rows, of pixels so much longer: a head."""
    scan = coarser(head(3, side=160), 0, factor=8)
    assert scan.pixels.shape == (20, 160)
    assert 0.15 < Preparation(size=64)(scan).foreground.mean() < 0.8
