from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors.cells import widened
from atypia.detectors.near_cells import near_products


@pytest.mark.parametrize(("grid", "reach"), [(5, 0), (5, 2), (4, 6), (1, 1)])
def test_each_cell_is_compared_with_all_within_reach_and_the_rim_goes_on(rng, grid, reach):
    cells = rng.normal(size=(grid, grid, 3)).astype(np.float32)
    others = rng.normal(size=(2, grid, grid, 3)).astype(np.float32)
    found = near_products(cells, others, reach)
    assert found.shape == (grid**2, 2 * (2 * reach + 1) ** 2)
    steps = range(-reach, reach + 1)
    for place, products in enumerate(found):
        row, column = divmod(place, grid)
        spots = [np.clip((row + down, column + right), 0, grid - 1) for down in steps for right in steps]
        expected = [other[r, c] @ cells[row, column] for r, c in spots for other in others]
        assert np.allclose(products, expected, atol=1e-5)


def test_every_finite_half_is_widened_exactly():
    halves = np.arange(2**16).astype(np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(widened(halves).view(np.uint32), halves.astype(np.float32).view(np.uint32))
