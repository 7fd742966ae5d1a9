"""The head is found whatever the background, the frame, the lettering and the units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.preparation.foreground import find_foreground


def ellipse(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 1


def head(shape: tuple[int, int] = (120, 100), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright scalp, a dark skull, a brain with dark ventricles, and noise; and the truth."""
    rng = np.random.default_rng(seed)
    centre, radii = (shape[0] / 2, shape[1] / 2), (0.36 * shape[0], 0.34 * shape[1])
    inner = [ellipse(shape, centre, (radii[0] * k, radii[1] * k)) for k in (1, 0.92, 0.85, 0.2)]
    pixels = np.select(inner[::-1], (5, 90, 12, 200), 3.0)
    return (pixels + rng.normal(0, 2, shape)).astype(np.float32), inner[0]


def overlap(pixels: np.ndarray, truth: np.ndarray) -> float:
    """Return the Dice coefficient of what is found, on the grid of the scan."""
    found = find_foreground(pixels)
    assert found is not None
    mask = np.kron(found.mask, np.ones((found.factor, found.factor), bool))
    mask = mask[: truth.shape[0], : truth.shape[1]]
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("shape", [(40, 32), (120, 100), (161, 159), (300, 420), (700, 512)])
def test_the_head_is_found_at_any_size(shape: tuple[int, int]) -> None:
    assert overlap(*head(shape)) > 0.9


def test_a_frame_and_lettering_are_left_out() -> None:
    pixels, truth = head()
    pixels[[0, 1, -2, -1]] = pixels[:, [0, 1, -2, -1]] = 255
    pixels[6:10, 6:30:2] = pixels[-10:-6, 60:90:2] = 255
    assert overlap(pixels, truth) > 0.95


def test_a_bright_background_is_background() -> None:
    pixels, truth = head()
    pixels[~truth] = 250
    assert overlap(pixels, truth) > 0.95


def test_a_step_in_the_noise_is_no_head() -> None:
    pixels, truth = head()
    pixels *= 0.3
    pixels[~truth] = 8
    pixels[:8] = pixels[:, :4] = 0
    assert overlap(pixels, truth) > 0.95


def test_a_head_cut_by_the_border_reaches_it() -> None:
    pixels, truth = head()
    found = find_foreground(pixels[: 120 * 6 // 10])
    assert found is not None
    assert found.box[2] == 72
    assert overlap(pixels[:72], truth[:72]) > 0.95


def test_a_head_without_any_background_is_the_whole() -> None:
    rng = np.random.default_rng(3)
    found = find_foreground(rng.normal(100, 30, (64, 64)).astype(np.float32))
    assert found is not None
    assert found.mask.mean() > 0.8


@settings(max_examples=40, deadline=None)
@given(gain=st.floats(0.02, 50), offset=st.floats(-300, 300), seed=st.integers(0, 5))
def test_units_do_not_matter(gain: float, offset: float, seed: int) -> None:
    pixels, _ = head(seed=seed)
    one, other = find_foreground(pixels), find_foreground((pixels * gain + offset).astype(np.float32))
    assert one is not None
    assert other is not None
    assert np.mean(one.mask != other.mask) < 0.002


@pytest.mark.parametrize("level", [0, 1, 255, 1e6, -3])
def test_a_constant_image_has_none(level: float) -> None:
    assert find_foreground(np.full((50, 60), level, np.float32)) is None


def test_a_lone_bright_spot_has_none() -> None:
    pixels = np.zeros((100, 100), np.float32)
    pixels[50, 50] = 255
    assert find_foreground(pixels) is None


def test_the_box_holds_the_mask_in_pixels_of_the_scan() -> None:
    pixels, truth = head((330, 250))
    found = find_foreground(pixels)
    assert found is not None
    assert found.factor == 3
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    np.testing.assert_allclose(found.box, (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1), atol=8)
