from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

from atypia.audit.noise import EVEN, evenness

HEAD = np.hypot(*(np.mgrid[:160, :160] - 79.5)) < 70


@pytest.fixture
def slice_(rng) -> np.ndarray:
    """A smooth interior, with folds in its outer half."""
    smooth = 0.4 + 0.1 * gaussian_filter(rng.normal(size=HEAD.shape), 12) / 0.02
    folds = np.sin(np.arctan2(*(np.mgrid[:160, :160] - 79.5)) * 40) * (
        np.hypot(*(np.mgrid[:160, :160] - 79.5)) > 40
    )
    return np.float32(np.clip(HEAD * (smooth + 0.2 * folds), 0, 1))


def test_noise_is_even(slice_, rng):
    noisy = np.clip(slice_ + rng.normal(0, 0.2, HEAD.shape), 0, 1).astype(np.float32)
    assert evenness(noisy, HEAD) > EVEN


def test_sharpened_edges_are_not(slice_):
    picture = Image.fromarray(np.uint8(255 * slice_)).filter(ImageFilter.UnsharpMask(2, 300, 0))
    assert evenness(np.asarray(picture, np.float32) / 255, HEAD) < EVEN


def test_without_a_head_nothing_is_known():
    assert evenness(np.zeros((160, 160), np.float32), np.zeros((160, 160), bool)) == 1
    assert evenness(np.zeros((160, 160), np.float32), HEAD) == 0
