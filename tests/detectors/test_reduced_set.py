from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors.reduced_set import ReducedSet


def test_scans_are_averaged_and_masks_are_where_most_of_a_pixel_is(heads_of):
    scans = heads_of(3)
    whole, few = scans.batch(np.arange(3)), ReducedSet(scans, 32).batch(np.arange(3))
    assert np.allclose(few.pixels, whole.pixels.reshape(3, 32, 2, 32, 2).mean((2, 4)))
    for small, full in ((few.foreground, whole.foreground), (few.brain, whole.brain)):
        assert np.array_equal(small, full.reshape(3, 32, 2, 32, 2).mean((2, 4)) > 0.5)
    assert len(ReducedSet(scans, 32)) == 3


@pytest.mark.parametrize("side", [16, 48, 80])
def test_any_side_can_be_asked_for(heads_of, side):
    batch = ReducedSet(heads_of(2), side).batch(np.array([1]))
    assert batch.pixels.shape == batch.foreground.shape == batch.brain.shape == (1, side, side)
    assert 0.2 < batch.brain.mean() < batch.foreground.mean() < 0.8
