"""There and back: a place on the canvas is the same place of the input, to a fraction of a pixel."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.preparation.geometry import Geometry

SHAPES = st.tuples(st.integers(16, 90), st.integers(16, 90))
SIZES = st.integers(32, 70)


@st.composite
def boxes(draw: st.DrawFn) -> Geometry:
    """Boxes of any proportion around some part of the input, reaching beyond it at times."""
    shape, size = draw(SHAPES), draw(SIZES)
    extent = tuple(draw(st.floats(0.3, 1.6)) * side for side in shape)
    corner = tuple(
        draw(st.floats(-0.2, 0.8)) * side - 0.1 * part for side, part in zip(shape, extent, strict=True)
    )
    return Geometry.of_box(shape, size, corner, extent)


@st.composite
def turned(draw: st.DrawFn) -> Geometry:
    """The canvas turned about the centre of the input."""
    shape, size = draw(SHAPES), draw(SIZES)
    angle, scale = math.radians(draw(st.floats(-40, 40))), draw(st.floats(0.4, 2))
    matrix = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    offset = (np.array(shape) - 1) / 2 - matrix @ np.full(2, (size - 1) / 2)
    return Geometry(shape, size, tuple(map(tuple, matrix.tolist())), tuple(offset.tolist()))


GEOMETRIES = boxes() | turned()


def places(shape: tuple[int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).astype(float)


def ramp(geometry: Geometry) -> np.ndarray:
    return (places(geometry.shape) @ np.array([1.0, -2.0]) + 7).astype(np.float32)


@given(geometry=GEOMETRIES, seed=st.integers(0, 99))
def test_coordinates_there_and_back(geometry: Geometry, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-50, 150, (20, 2))
    np.testing.assert_allclose(geometry.to_pixels(geometry.to_canvas(points)), points, atol=1e-6)
    np.testing.assert_allclose(geometry.to_canvas(geometry.to_pixels(points)), points, atol=1e-6)


@given(geometry=boxes())
def test_the_canvas_covers_its_box(geometry: Geometry) -> None:
    box = Geometry.of_box((40, 50), 32, (-3.0, 5.0), (20.0, 64.0))
    corners = box.to_pixels(np.array([[-0.5, -0.5], [31.5, 31.5]]))
    np.testing.assert_allclose(corners, [[-3.5, 4.5], [16.5, 68.5]])
    centre = geometry.to_pixels(np.full(2, (geometry.size - 1) / 2))
    extent = np.diag(geometry.matrix) * geometry.size
    np.testing.assert_allclose(centre - extent / 2 + 0.5, geometry.to_pixels(np.full(2, -0.5)) + 0.5)


@given(geometry=GEOMETRIES)
def test_inside_tells_which_centres_lie_in_the_input(geometry: Geometry) -> None:
    where = geometry.to_pixels(places((geometry.size, geometry.size)))
    expected = ((where >= -0.5) & (where <= np.array(geometry.shape) - 0.5)).all(-1)
    assert np.array_equal(geometry.inside, expected)


@settings(max_examples=60, deadline=None)
@given(geometry=GEOMETRIES)
def test_a_ramp_on_the_canvas_is_where_the_geometry_says(geometry: Geometry) -> None:
    canvas = geometry.to_prepared(ramp(geometry))
    assert (canvas.dtype, canvas.shape) == (np.float32, (geometry.size, geometry.size))
    where = geometry.to_pixels(places(canvas.shape))
    reach = 3 * max(1, np.abs(geometry.matrix).max())
    deep = ((where > reach) & (where < np.array(geometry.shape) - 1 - reach)).all(-1)
    expected = where @ np.array([1.0, -2.0]) + 7
    np.testing.assert_allclose(canvas[deep], expected[deep], atol=0.03 * reach)
    assert not canvas[~geometry.inside].any()


@settings(max_examples=60, deadline=None)
@given(geometry=GEOMETRIES)
def test_a_ramp_returns_as_it_was(geometry: Geometry) -> None:
    wanted = ramp(geometry)
    back = geometry.to_input(geometry.to_prepared(wanted))
    assert (back.dtype, back.shape) == (np.float32, geometry.shape)
    pixels = places(geometry.shape)
    where = geometry.to_canvas(pixels)
    scale = max(1, np.abs(geometry.matrix).max())
    deep = ((where > 3) & (where < geometry.size - 4)).all(-1)
    deep &= ((pixels > 4 * scale) & (pixels < np.array(geometry.shape) - 1 - 4 * scale)).all(-1)
    thirtieth_of_a_pixel = (1.0 + 2.0) / 30
    np.testing.assert_allclose(back[deep], wanted[deep], atol=thirtieth_of_a_pixel)


def test_a_ramp_of_usual_size_returns_within_a_ten_thousandth() -> None:
    geometry = Geometry.of_box((400, 512), 224, (3.3, 20.7), (390.1, 471.9))
    wanted = ramp(geometry)
    back = geometry.to_input(geometry.to_prepared(wanted))
    deep = np.s_[15:380, 32:480]
    np.testing.assert_allclose(back[deep], wanted[deep], atol=1e-4 * np.ptp(wanted))


@settings(max_examples=60, deadline=None)
@given(geometry=GEOMETRIES, row=st.floats(0.3, 0.7), column=st.floats(0.3, 0.7))
def test_a_blob_on_the_canvas_returns_to_its_place(geometry: Geometry, row: float, column: float) -> None:
    centre = np.array([row, column]) * geometry.size
    scales = np.linalg.norm(geometry.matrix, axis=0)
    width = 2 + 1 / scales.min()
    blob = np.exp(-((places((geometry.size, geometry.size)) - centre) ** 2).sum(-1) / (2 * width**2))
    back = geometry.to_input(blob.astype(np.float32))
    place = geometry.to_pixels(centre)
    reach = 4 * width * scales.max()
    if ((place < reach) | (place > np.array(geometry.shape) - 1 - reach)).any():
        return  # part of the blob lies beyond the input
    found = (places(geometry.shape) * back[..., None]).sum((0, 1)) / back.sum()
    np.testing.assert_allclose(found, place, atol=0.5)


@given(geometry=GEOMETRIES)
def test_outside_the_canvas_the_input_is_zero(geometry: Geometry) -> None:
    back = geometry.to_input(np.ones((geometry.size, geometry.size), np.float32))
    where = geometry.to_canvas(places(geometry.shape))
    rim = geometry.size / 2 - np.abs(where - (geometry.size - 1) / 2).max(axis=-1)
    clear = np.abs(rim) > 1e-6  # on the very rim rounding decides
    np.testing.assert_allclose(back[clear], rim[clear] > 0, atol=1e-5)


@given(geometry=boxes(), factor=st.integers(1, 5))
def test_a_reduced_grid_keeps_the_place(geometry: Geometry, factor: int) -> None:
    points = np.random.default_rng(0).uniform(0, geometry.size, (9, 2))
    small = geometry.reduced(factor)
    assert small.shape == tuple(math.ceil(side / factor) for side in geometry.shape)
    np.testing.assert_allclose((small.to_pixels(points) + 0.5) * factor - 0.5, geometry.to_pixels(points))


def test_an_upright_box_and_a_tiny_turn_agree() -> None:
    box = Geometry.of_box((60, 50), 48, (4.0, -6.0), (52.0, 58.0))
    (rows, _), (_, columns) = box.matrix
    tilted = Geometry(box.shape, box.size, ((rows, 1e-9), (0.0, columns)), box.offset)
    smooth = np.sin(places(box.shape) / 9).sum(-1).astype(np.float32)
    np.testing.assert_allclose(tilted.to_prepared(smooth), box.to_prepared(smooth), atol=0.02)
    values = np.random.default_rng(1).normal(size=(48, 48)).astype(np.float32)
    np.testing.assert_allclose(tilted.to_input(values), box.to_input(values), atol=1e-4)


def test_the_whole_image_at_its_own_size_is_itself() -> None:
    pixels = np.random.default_rng(2).normal(size=(40, 40)).astype(np.float32)
    whole = Geometry.of_box((40, 40), 40, (0.0, 0.0), (40.0, 40.0))
    np.testing.assert_allclose(whole.to_prepared(pixels), pixels, atol=1e-6)
    assert np.array_equal(whole.to_input(pixels), pixels)


def test_a_reduction_averages_instead_of_sampling() -> None:
    pixels = np.zeros((400, 400), np.float32)
    pixels[::2] = 1
    canvas = Geometry.of_box((400, 400), 40, (0.0, 0.0), (400.0, 400.0)).to_prepared(pixels)
    np.testing.assert_allclose(canvas, 0.5, atol=0.02)


def test_a_box_far_larger_than_a_narrow_input_costs_little() -> None:
    pixels = np.ones((16, 16 * 20), np.float32)
    geometry = Geometry.of_box(pixels.shape, 32, (-1e6, -1e6), (2e6, 2e6))
    assert geometry.inside.sum() <= 4
    assert geometry.to_input(np.ones((32, 32), np.float32)).all()
