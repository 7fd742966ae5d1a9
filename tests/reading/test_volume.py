from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.errors import UnreadableScan
from atypia.reading.volume import PLANES, Volume

ORIENTATIONS = [(axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def affine_of(axes, signs, sizes=(1.0, 1.0, 1.0), turn=0.0) -> np.ndarray:
    """The affine of a grid whose n-th axis runs along the anatomical axis axes[n], turned about all three."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, axis] = sign * sizes[axis]
    c, s = np.cos(turn), np.sin(turn)
    about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine[:3, :3] = about @ affine[:3, :3]
    affine[:3, 3] = 7, -11, 3
    return affine


def anatomical(affine: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Of every voxel how far right, to the front and up it lies: three grids."""
    grids = np.meshgrid(*(np.arange(side) for side in shape), indexing="ij")
    return [sum(affine[row, axis] * grids[axis] for axis in range(3)) + affine[row, 3] for row in range(3)]


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_slices_are_shown_as_radiologists_see_them_and_go_back_exactly(axes, signs, turn, rng):
    shape = (4, 5, 6)
    affine = affine_of(axes, signs, turn=turn)
    right, front, up = anatomical(affine, shape)
    volumes = [Volume(grid.astype(np.float32), affine, "v") for grid in (right, front, up)]
    downwards = {"axial": 1, "coronal": 2, "sagittal": 2}
    along = {"axial": 0, "coronal": 0, "sagittal": 1}
    for plane in PLANES:
        rows = volumes[downwards[plane]].slice(plane, 1).pixels
        columns = volumes[along[plane]].slice(plane, 1).pixels
        assert (np.diff(rows, axis=0) < 0).all(), "rows go to the back, or down"
        assert (np.diff(columns, axis=1) < 0).all(), "columns go to the patient's left, or to the back"
    noise = Volume(rng.normal(size=shape).astype(np.float32), affine, "v")
    for plane in PLANES:
        grid = noise.empty()
        for index in range(noise.slice_count(plane)):
            noise.place(grid, plane, index, noise.slice(plane, index).pixels)
        np.testing.assert_array_equal(grid, noise.pixels)


@given(
    orientation=st.sampled_from(ORIENTATIONS),
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    sizes=st.tuples(*[st.floats(0.2, 9)] * 3),
)
def test_sizes_follow_the_axes(orientation, shape, sizes):
    axes, signs = orientation
    volume = Volume(np.zeros(shape, np.float32), affine_of(axes, signs, sizes), "v", group="g")
    assert volume.spacing == pytest.approx(sizes)
    by_world = {world: (shape[axis], sizes[axis]) for axis, world in enumerate(axes)}
    scan = volume.slice("coronal", 0)
    assert scan.pixels.shape == (by_world[2][0], by_world[0][0])
    assert scan.spacing == pytest.approx((by_world[2][1], by_world[0][1]))
    assert volume.slice_count("coronal") == by_world[1][0]
    assert (scan.name, scan.plane, scan.group) == ("v:co000", "coronal", "g")
    assert volume.slice_count(volume.plane) == min(shape) or 1 not in shape


@pytest.mark.parametrize(
    ("sizes", "shape", "plane"),
    [
        ((1, 1, 1), (20, 20, 20), "axial"),
        ((1.1, 1, 1), (20, 20, 20), "axial"),
        ((1.2, 1, 1), (20, 20, 20), "sagittal"),
        ((1, 5, 1), (20, 20, 20), "coronal"),
        ((3, 3, 1), (20, 20, 20), "axial"),
        ((1, 1, 5), (20, 1, 20), "coronal"),
    ],
)
def test_the_plane_is_that_of_the_longest_side_of_a_voxel(sizes, shape, plane):
    volume = Volume(np.zeros(shape, np.float32), np.diag([*sizes, 1.0]), "v")
    assert volume.plane == plane


def test_a_slice_is_a_copy_and_tells_where_it_comes_from():
    volume = Volume(
        np.zeros((3, 4, 5), np.float32), np.eye(4), "v", sequence="T1", scanner="s", modality="MR"
    )
    scan = volume.slice("axial", 4)
    scan.pixels[:] = 1
    assert not volume.pixels.any()
    assert (scan.sequence, scan.scanner, scan.modality) == ("T1", "s", "MR")


@pytest.mark.parametrize("index", [-1, 5])
def test_a_slice_that_is_not_there_is_told(index):
    volume = Volume(np.zeros((3, 4, 5), np.float32), np.eye(4), "v")
    with pytest.raises(
        UnreadableScan, match=f"v: expected a slice axial from 0 to 4, received the slice {index}"
    ):
        volume.slice("axial", index)


def test_what_has_another_shape_has_no_place():
    volume = Volume(np.zeros((3, 4, 5), np.float32), np.eye(4), "v")
    with pytest.raises(ValueError, match="expected a picture"):
        volume.place(volume.empty(), "axial", 0, np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match="expected a grid"):
        volume.place(np.zeros((3, 4, 4), np.float32), "axial", 0, np.zeros((4, 3), np.float32))


@pytest.mark.parametrize(
    ("shape", "affine", "told"),
    [
        ((3, 4), np.eye(4), "three axes"),
        ((3, 4, 0), np.eye(4), "three axes"),
        ((3, 4, 5), np.diag([1, 0, 1, 1.0]), "determinant is zero"),
        (
            (3, 4, 5),
            np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            "determinant is zero",
        ),
        ((3, 4, 5), np.diag([1, np.nan, 1, 1.0]), "finite"),
        ((3, 4, 5), np.eye(3), "4x4"),
    ],
)
def test_what_is_no_volume_is_refused(shape, affine, told):
    with pytest.raises(UnreadableScan, match=told):
        Volume(np.zeros(shape, np.float32), affine, "v")


def test_tiny_voxels_are_voxels():
    assert Volume(np.zeros((3, 4, 5), np.float32), np.diag([1e-4, 1e-4, 1e-4, 1]), "v").plane == "axial"
