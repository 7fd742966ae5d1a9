"""Healthy heads in units of their brain's median, with the depth below their surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

SIZE = 48


@pytest.fixture(scope="session")
def layers(draw_heads) -> Callable[..., np.ndarray]:
    """`layers(count, seed=0)` draws (count, 3, S, S): scan, depth, and a third layer, the scan doubled."""

    def draw(count: int, seed: int = 0) -> np.ndarray:
        pixels, heads = draw_heads(count, size=SIZE, seed=seed)
        depth = [ndimage.distance_transform_edt(np.pad(head, 1))[1:-1, 1:-1] / SIZE for head in heads]
        tissue = pixels / 0.4 * heads
        return np.stack([tissue, np.stack(depth), 2 * tissue], axis=1).astype(np.float32)

    return draw
