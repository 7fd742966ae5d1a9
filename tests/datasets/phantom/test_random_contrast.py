from __future__ import annotations

import numpy as np
import pytest

from atypia.datasets.phantom.any_plane import PLANES, SHAPE
from atypia.datasets.phantom.random_contrast import random_slice
from atypia.errors import BadOption
from atypia.preparation import Preparation
from atypia.scan import Scan


@pytest.fixture(scope="module")
def drawn():
    return [random_slice(seed) for seed in range(24)]


def test_the_same_seed_gives_the_same_slice_and_others_differ(drawn):
    again = random_slice(5)
    assert np.array_equal(again.pixels, drawn[5].pixels)
    assert np.array_equal(again.depth, drawn[5].depth)
    assert len({one.pixels.tobytes() for one in drawn}) == len(drawn)


def test_slices_are_pictures_with_a_brain_in_every_plane(drawn):
    for one in drawn:
        assert (one.pixels.shape, one.pixels.dtype, one.depth.shape) == (SHAPE, np.uint8, SHAPE)
        assert 0.03 < (one.depth > 0).mean() < 0.7
        assert one.pixels[one.depth > 0].std() > 0
    assert {one.plane for one in drawn} == set(PLANES)


@pytest.mark.parametrize("plane", PLANES)
def test_a_plane_can_be_asked_for(plane):
    assert random_slice(3, plane).plane == plane


def test_contrasts_are_drawn_beyond_any_sequence(drawn):
    """Of the parts of a brain now one is brighter than the rest of the head, now another."""
    brighter = [
        np.median(one.pixels[one.depth > 12]) > np.median(one.pixels[(one.depth > 0) & (one.depth < 6)])
        for one in drawn
    ]
    assert 0.15 < np.mean(brighter) < 0.9
    bare = [one.pixels[one.depth < -6].mean() < 0.5 * one.pixels[one.depth > 3].mean() for one in drawn]
    assert any(bare)
    assert not all(bare)


def test_nearly_all_can_be_prepared_as_any_scan(drawn):
    prepare = Preparation(size=64)
    shares = [prepare(Scan(one.pixels.astype(np.float32), "slice")).foreground.mean() for one in drawn]
    assert min(shares) > 0.1


@pytest.mark.parametrize(("seed", "plane"), [(-1, None), (0, "oblique")])
def test_what_makes_no_sense_is_refused(seed, plane):
    with pytest.raises(BadOption, match="axial, coronal, sagittal"):
        random_slice(seed, plane)
