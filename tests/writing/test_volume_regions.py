from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.writing.volume_regions import Marked, find_volume_regions

OBLIQUE = np.array([[0.9, -0.2, 0.3, -40], [0.25, 1.1, -0.4, 10], [-0.1, 0.3, 2.5, 7], [0, 0, 0, 1]])


def found_in(
    marks: np.ndarray, heat: np.ndarray | None = None, affine: np.ndarray = OBLIQUE, across: int = 2
):
    """Every mark of slice n has the p-value (n + mark) / 1000."""
    count = marks.shape[across]
    p_values = {n: tuple((n + mark) / 1000 for mark in range(1, 256)) for n in range(count)}
    names = {n: f"ax{n:03}" for n in range(count)}
    heat = np.zeros(marks.shape, np.float32) if heat is None else heat
    return find_volume_regions(Marked(marks.astype(np.uint8), across, p_values, names), heat, affine)


def test_nothing_marked_has_no_regions():
    regions, labels = found_in(np.zeros((3, 4, 5)))
    assert regions == ()
    assert labels.shape == (3, 4, 5)
    assert not labels.any()


def test_voxels_that_touch_by_a_corner_are_one_region_and_others_are_not():
    marks = np.zeros((9, 9, 9))
    marks[1, 1, 1] = marks[2, 2, 2] = 1
    marks[5, 5, 5] = 7
    heat = np.zeros(marks.shape, np.float32)
    heat[1, 1, 1], heat[2, 2, 2], heat[5, 5, 5] = 2, 4, 9
    (first, second), labels = found_in(marks, heat, np.diag([2, 3, 4, 1.0]))
    assert (first.rank, first.voxels, first.peak, first.mean) == (1, 2, 4.0, 3.0)
    assert first.volume_mm3 == pytest.approx(48)
    assert first.p_value == 0.002, "the smaller of its slices', of the first mark in slice 1"
    assert (first.centre, first.extent) == ((3.0, 4.5, 6.0), (4.0, 6.0, 8.0))
    assert (first.box, first.slices) == ((1, 1, 1, 3, 3, 3), ("ax001", "ax002"))
    assert (second.rank, second.voxels, second.extent, second.p_value) == (2, 1, (2.0, 3.0, 4.0), 0.012)
    assert labels[2, 2, 2] == labels[1, 1, 1] == 1
    assert labels[5, 5, 5] == 2
    assert np.count_nonzero(labels) == 3


def test_of_equal_p_values_a_large_region_comes_before_a_bright_speck():
    marks = np.zeros((9, 1, 1))
    marks[0] = marks[3:6] = marks[8] = 3
    heat = np.array([1, 0, 0, 2, 2, 2, 0, 0, 5], np.float32).reshape(marks.shape)
    regions, labels = found_in(marks, heat)
    assert [region.peak for region in regions] == [2, 5, 1]
    assert labels.ravel().tolist() == [3, 0, 0, 1, 1, 1, 0, 0, 2]


def test_slices_are_counted_along_the_axis_that_they_lie_across():
    marks = np.zeros((6, 3, 3))
    marks[2:5, 1, 1] = 1
    (region,), _ = found_in(marks, across=0)
    assert (region.slices, region.p_value) == (("ax002", "ax003", "ax004"), 0.003)


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.6), across=st.integers(0, 2))
def test_regions_part_the_marks_and_agree_with_their_labels(seed, share, across):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 8, 3))
    marks = np.where(rng.random(shape) < share, rng.integers(1, 5, shape), 0)
    heat = rng.normal(size=shape).astype(np.float32)
    regions, labels = found_in(marks, heat, across=across)
    np.testing.assert_array_equal(labels > 0, marks > 0)
    assert [region.rank for region in regions] == list(range(1, labels.max(initial=0) + 1))
    order = [(region.p_value, -region.mean * region.voxels) for region in regions]
    assert order == sorted(order)
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    for region in regions:
        at = np.argwhere(labels == region.rank)
        low, high = region.box[:3], region.box[3:]
        assert (at.min(axis=0).tolist(), (at.max(axis=0) + 1).tolist()) == (list(low), list(high))
        assert len(at) == region.voxels
        assert region.volume_mm3 == pytest.approx(len(at) * np.linalg.det(OBLIQUE[:3, :3]))
        # Every corner of every voxel, carried to the patient: the box around them is the extent.
        reached = (at[:, None] + corners).reshape(-1, 3) @ OBLIQUE[:3, :3].T
        assert region.extent == pytest.approx(np.ptp(reached, axis=0))
        assert region.centre == pytest.approx(reached.mean(axis=0) + OBLIQUE[:3, 3])
        assert region.peak == heat[labels == region.rank].max()
        assert len(region.slices) == np.unique(at[:, across]).size == high[across] - low[across]


@given(seed=st.integers(0, 10**6))
def test_neighbours_by_any_corner_share_a_region(seed):
    marks = np.random.default_rng(seed).random((5, 5, 5)) < 0.15
    _, labels = found_in(marks)
    at = np.argwhere(marks)
    near = np.abs(at[:, None] - at[None]).max(axis=2) <= 1
    # Reachability by repeated squaring of the neighbourhood.
    for _ in range(7):
        near = (near.astype(int) @ near.astype(int)) > 0
    owners = labels[marks]
    np.testing.assert_array_equal(owners[:, None] == owners[None], near)
