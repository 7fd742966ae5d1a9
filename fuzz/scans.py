"""A small slice and a small volume of the phantom, that seeds are made of."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def small_slice(side: int = 32) -> NDArray[np.uint8]:
    """Return a slice of the phantom, uint8 (side, side)."""
    from atypia.datasets.phantom import phantom_image  # here: reading what was made needs none of it

    pixels = phantom_image(7).pixels
    step = pixels.shape[0] // side
    return np.ascontiguousarray(pixels[::step, ::step][:side, :side].astype(np.uint8))


def small_volume(side: int = 20, depth: int = 6) -> NDArray[np.int16]:
    """Return slices that shrink towards both ends, int16 (side, side, depth)."""
    whole = small_slice(side).astype(np.int16)
    share = np.sin(np.linspace(0.4, np.pi - 0.4, depth))
    return np.stack([whole * part for part in share], axis=2).astype(np.int16)
