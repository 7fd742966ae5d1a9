from dataclasses import replace

import numpy as np
import pytest

from atypia.datasets.phantom.anatomy import SHAPE, cut_slice, draw_pose
from atypia.datasets.phantom.contrast import tissues_of
from atypia.datasets.phantom.template import load_template


@pytest.fixture
def pose(rng):
    return replace(draw_pose(rng), height=20.0, thickness=3.0, mirrored=False)


def test_a_slice_shows_a_brain_in_the_middle_and_air_in_the_corners(pose):
    anatomy = cut_slice(load_template(), pose)
    assert anatomy.t1.shape == anatomy.depth.shape == SHAPE
    assert anatomy.t1.dtype == anatomy.depth.dtype == anatomy.z.dtype == np.float32
    assert anatomy.depth[112, 112] > 20
    assert (anatomy.depth[[0, 0, -1, -1], [0, -1, 0, -1]] < -15).all()
    assert anatomy.z[112, 112] == pytest.approx(20, abs=8)


@pytest.mark.parametrize(("thickness", "layers"), [(1.0, 1), (3.0, 3), (5.0, 4)])
def test_a_thick_slice_is_the_mean_of_thin_ones(pose, thickness, layers):
    anatomy = cut_slice(load_template(), replace(pose, thickness=thickness))
    assert len(anatomy.layers) == layers
    assert anatomy.t1 == pytest.approx(sum(anatomy.layers) / layers, abs=1e-5)


def test_a_displacement_shows_the_tissue_of_elsewhere(pose):
    still = tuple(np.zeros(SHAPE, np.float32) for _ in range(2))
    down = (np.full(SHAPE, 3, np.float32), still[1])
    plain, same, moved = (cut_slice(load_template(), pose, by) for by in (None, still, down))
    assert np.array_equal(plain.t1, same.t1)
    assert (moved.y[60:160, 60:160] < plain.y[60:160, 60:160]).all()  # further down is further back


def test_age_turns_cortex_into_fluid_and_widens_ventricles(pose):
    young, old = (
        tissues_of(cut_slice(load_template(), replace(pose, age=age, ventricles=0.25 * age)))
        for age in (0.0, 1.2)
    )
    assert old.fluid.sum() > 1.3 * young.fluid.sum()
    assert old.brain.sum() == pytest.approx(young.brain.sum(), rel=0.01)


def test_tissues_are_shares(pose):
    tissues = tissues_of(cut_slice(load_template(), pose))
    for share in (tissues.brain, tissues.white, tissues.fluid):
        assert share.min() >= 0
        assert share.max() <= 1
    assert (tissues.white + tissues.fluid <= 1).all()
    assert 0.2 < tissues.white.sum() / tissues.brain.sum() < 0.7
