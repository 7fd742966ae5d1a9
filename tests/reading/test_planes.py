"""Volumes are cut in the planes that are wanted, where they are fine enough for that."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from atypia.errors import UnreadableScan
from atypia.reading.collection import read_collection
from atypia.reading.cutting import Cutting
from atypia.reading.planes import not_cut, planes_to_cut, too_coarse
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.reading.volume import Volume
from atypia.reading.volumes import open_volume, with_slices


def save(path: Path, sizes: tuple[float, float, float], shape: tuple[int, int, int] = (32, 36, 24)) -> Path:
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    pixels = (1000 * ((places**2).sum(axis=0) < 0.64)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(pixels, np.diag([*sizes, 1.0])), path)
    return path


def test_a_sagittally_acquired_volume_is_cut_as_wanted(tmp_path):
    path = save(tmp_path / "a.nii", (1.3, 1.0, 1.0))
    assert open_volume(path).plane == "sagittal"
    assert {row.plane for row in with_slices([Row(path, "a")])} == {"sagittal"}
    assert {row.plane for row in with_slices([Row(path, "a")], Cutting(("axial",)))} == {"axial"}
    both = with_slices([Row(path, "a")], Cutting(("axial", "coronal")))
    assert [row.plane for row in both] == sorted(row.plane or "" for row in both)
    assert len({row.name for row in both}) == len(both)
    named = with_slices([Row(path, "a", plane="coronal")], Cutting(("axial",)))
    assert {row.plane for row in named} == {"coronal"}


def test_a_volume_that_is_too_coarse_says_so_in_one_row(tmp_path):
    path = save(tmp_path / "a.nii", (1.0, 1.0, 5.0))
    (row,) = with_slices([Row(path, "a")], Cutting(("coronal", "sagittal")))
    assert (row.slice, row.plane) == (None, "coronal")
    with pytest.raises(UnreadableScan, match=r"coronal pixels of 5 x 1 mm.*acquired in the axial plane"):
        read_row(row)
    assert {row.plane for row in with_slices([Row(path, "a")], Cutting(("coronal", "axial")))} == {"axial"}


def test_few_slices_make_no_picture_of_another_plane():
    slab = Volume(np.ones((40, 40, 12), np.float32), np.diag([1.0, 1.0, 3.0, 1.0]), "slab")
    assert too_coarse(slab, "sagittal") == "sagittal slices of 12 x 40 voxels"
    assert planes_to_cut(slab, ["axial", "sagittal"]) == ("axial",)
    assert not_cut(slab, ["axial", "sagittal"]) == (
        "not cut in the sagittal plane: sagittal slices of 12 x 40 voxels",
    )


def test_a_whole_folder_is_cut_as_wanted_and_a_bad_file_keeps_its_row(tmp_path):
    save(tmp_path / "a.nii", (1.0, 1.0, 1.0))
    (tmp_path / "b.nii").write_bytes(b"no volume")
    rows = read_collection(tmp_path, cutting=Cutting(("sagittal",))).rows
    assert {row.plane for row in rows if row.path.name == "a.nii"} == {"sagittal"}
    assert [row.slice for row in rows if row.path.name == "b.nii"] == [None]


def test_the_order_in_which_a_volume_was_acquired_does_not_change_its_slices(tmp_path):
    axial = open_volume(save(tmp_path / "a.nii", (1.0, 1.0, 1.3)))
    stored = np.ascontiguousarray(axial.pixels.transpose(2, 0, 1)[::-1, :, ::-1])
    to_first = np.zeros((4, 4))
    to_first[2, 0], to_first[0, 1], to_first[1, 2], to_first[3, 3] = -1, 1, -1, 1
    to_first[2, 3], to_first[1, 3] = stored.shape[0] - 1, stored.shape[2] - 1
    nibabel.save(nibabel.Nifti1Image(stored, axial.affine @ to_first), tmp_path / "b.nii")
    names = ("a.nii", "b.nii")
    first, second = (with_slices([Row(tmp_path / name, name)], Cutting(("coronal",))) for name in names)
    assert len(first) == len(second)
    for one, other in zip(first, reversed(second), strict=True):
        scans = read_row(one), read_row(other)
        np.testing.assert_array_equal(scans[0].pixels, scans[1].pixels)
        assert scans[0].position == pytest.approx(scans[1].position)
        assert scans[0].spacing == pytest.approx(scans[1].spacing)
