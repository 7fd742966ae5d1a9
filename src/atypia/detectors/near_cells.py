"""Comparing the cells of a scan with those of others near the same place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Places = NDArray[np.intp]


def near_products(cells: Array, others: Array, reach: int) -> Array:
    """Return (G * G, M): the products of each cell (G, G, D) with cells of others (k, G, G, D) near it.

    Within `reach` rows and columns; what would lie beyond the rim is the rim's cell again. M is
    k * (2 reach + 1)^2. Each place of the others takes one matrix product, with all cells around it.
    """
    grid, width = len(cells), cells.shape[-1]
    near, seen = _neighbours(grid, reach)
    flat, bank = cells.reshape(-1, width), others.transpose(1, 2, 3, 0)
    products = np.stack([flat[around] @ row for around, row in zip(near, bank, strict=True)])
    return np.asarray(products.reshape(-1, len(others))[seen].reshape(grid * grid, -1))


@lru_cache(maxsize=16)
def _neighbours(grid: int, reach: int) -> tuple[Places, Places]:
    """Return the cells around each place (G, G, R), and where each cell's pairs stand among those (G * G, R).

    R is (2 reach + 1)^2. A pair is a place, and a cell by its number among the cells around that place.
    """
    side, here = 2 * reach + 1, np.arange(grid)[:, None]
    around = np.clip(here + np.arange(-reach, reach + 1), 0, grid - 1)
    near = around[:, None, :, None] * grid + around[None, :, None, :]
    back = here - around + reach  # seen from the place around, where the cell lies
    number = back[:, None, :, None] * side + back[None, :, None, :]
    seen = near * side**2 + number
    return near.reshape(grid, grid, -1), seen.reshape(grid * grid, -1)
