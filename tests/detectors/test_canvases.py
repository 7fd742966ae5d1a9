from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors.canvases import Canvases
from atypia.errors import BadOption


@pytest.fixture(scope="module")
def heads(heads_of):
    return heads_of(5)


def test_scans_are_averaged_over_squares_and_keep_head_and_brain(heads, tmp_path):
    canvases = Canvases(heads, tmp_path, 2)
    whole, found = heads.batch(np.array([3, 1])), canvases.batch(np.array([3, 1]))
    squares = whole.pixels.reshape(2, 32, 2, 32, 2)
    assert (len(canvases), canvases.size, canvases.full_size) == (5, 32, 64)
    assert np.allclose(found.pixels, squares.mean((2, 4)), atol=1e-3)
    assert found.pixels.dtype == np.float32
    for small, large in ((found.foreground, whole.foreground), (found.brain, whole.brain)):
        assert small.mean() == pytest.approx(large.mean(), rel=0.05)
    assert (found.brain <= found.foreground).all()
    assert np.allclose(found.level, whole.level, rtol=0.05)


def test_the_fingerprint_names_the_content(heads, heads_of, tmp_path):
    first = Canvases(heads, tmp_path / "a", 2).fingerprint
    assert Canvases(heads, tmp_path / "b", 2).fingerprint == first
    assert Canvases(heads, tmp_path / "c", 4).fingerprint != first
    assert Canvases(heads_of(5, seed=1), tmp_path / "d", 2).fingerprint != first


def test_squares_that_do_not_fill_the_scans_are_refused(heads, tmp_path):
    with pytest.raises(BadOption, match="multiple of 3, received 64 pixels"):
        Canvases(heads, tmp_path, 3)
