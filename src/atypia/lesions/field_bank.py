"""Smooth random fields that cost next to nothing: drawn once, then turned and mirrored at each use."""

from __future__ import annotations

from functools import lru_cache
from typing import final

import numpy as np
from scipy import ndimage

from atypia.scan import Image

GRIDS = (3, 5, 8, 10, 16, 20, 40)
EACH, FEWEST = 48, 4
"""Fields for each number of waves: fewer on large canvases, where they would fill the memory."""
FULL = 256


@final
class FieldBank:
    """Fields (size, size) of about unit variance, some for each number of waves in `GRIDS`.

    There are `EACH` of them up to a size of `FULL` pixels, and so many fewer beyond that the memory stays.
    """

    def __init__(self, size: int, seed: int) -> None:
        rng = np.random.default_rng((seed, 11))
        each = min(EACH, max(FEWEST, EACH * FULL**2 // size**2))
        self._fields = {grid: np.stack([_draw(rng, size, grid) for _ in range(each)]) for grid in GRIDS}

    def draw(self, rng: np.random.Generator, count: int, grid: int) -> Image:
        """Return float32 (count, size, size) of `grid` waves, each turned, mirrored and negated by chance.

        Raises KeyError for a number of waves that is not in `GRIDS`.
        """
        fields = self._fields[grid]
        drawn = np.empty((count, *fields.shape[1:]), np.float32)
        for place, (which, pose) in enumerate(
            zip(rng.integers(len(fields), size=count), rng.integers(16, size=count), strict=True)
        ):
            field = fields[which].T if pose & 1 else fields[which]
            field = field[::-1] if pose & 2 else field
            field = field[:, ::-1] if pose & 4 else field
            drawn[place] = -field if pose & 8 else field
        return drawn


def _draw(rng: np.random.Generator, size: int, grid: int) -> Image:
    knots = rng.standard_normal((grid + 3, grid + 3), dtype=np.float32)
    field = ndimage.zoom(knots, size / grid, order=3, mode="grid-wrap", grid_mode=True)
    top, left = rng.integers(0, len(field) - size + 1, 2)
    return np.asarray(field[top : top + size, left : left + size], np.float32)


@lru_cache(maxsize=4)
def field_bank(size: int, seed: int) -> FieldBank:
    """Return the bank of this size and seed, drawn once in a process."""
    return FieldBank(size, seed)
