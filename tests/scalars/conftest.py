"""Heads as picture files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from atypia.reading.row import Row


@pytest.fixture
def save(tmp_path):
    """`save(pixels in [0, 1], "a.png", mode="L", **options)` writes a picture and returns its Row."""

    def write(pixels, name="a.png", mode="L", **options):
        picture = Image.fromarray(np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)).convert(mode)
        picture.save(tmp_path / name, **options)
        return Row(tmp_path / name, name)

    return write


@pytest.fixture
def head(draw_heads):
    """One head in the middle of a dark picture, (160, 160) in [0, 1]."""
    canvas = np.zeros((160, 160), np.float32)
    canvas[16:144, 16:144] = draw_heads(1, 128, seed=4)[0][0] * 0.9
    return canvas
