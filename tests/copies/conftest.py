"""Pictures that are all of their own, and what is done to copies of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from atypia.reading.row import Row


@pytest.fixture(scope="session")
def draw_pictures(draw_heads):
    """Return `draw(count, seed)`: uint8 pictures (count, 160, 160) of heads, each with folds of its own."""

    def draw(count: int, seed: int = 0) -> np.ndarray:
        heads, masks = draw_heads(count, size=160, seed=seed)
        folds = np.random.default_rng(seed + 100).normal(size=heads.shape)
        folds = ndimage.gaussian_filter(folds, (0, 2.5, 2.5))
        grey = 110 + 60 * heads / heads.max() + 40 * folds / folds.std()
        return (np.clip(grey, 20, 250) * masks).astype(np.uint8)

    return draw


@pytest.fixture
def save(tmp_path):
    """Return `save(picture, name)`: write it below tmp_path and return its Row."""

    def write(picture: np.ndarray | Image.Image, name: str, **options: int) -> Row:
        path = tmp_path / name
        image = (
            picture if isinstance(picture, Image.Image) else Image.fromarray(np.ascontiguousarray(picture))
        )
        image.save(path, **options)
        return Row(path, name)

    return write
