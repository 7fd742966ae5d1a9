"""A volume as the page looks at it: small, in its place, and to 1/255 what it was."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from atypia.service.work.volume_view import head_of, in_bytes, write_view

SHAPE = (20, 18, 16)
SCALE = (1.0, 2.0)
BOX = (slice(5, 15), slice(4, 14), slice(3, 13))


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(0)
    scan, heat = rng.uniform(0, 0.02, SHAPE).astype(np.float32), np.zeros(SHAPE, np.float32)
    scan[BOX] = rng.uniform(0.5, 1, (10, 10, 10))
    heat[BOX] = rng.uniform(0, 3, (10, 10, 10))
    labels = np.uint16(heat > 2.5)
    affine = np.array([[-2.0, 0, 0, 30], [0, 0, 3, -7], [0, 1.5, 0, 4], [0, 0, 0, 1]])
    write_view(scan, heat, labels, affine, SCALE, tmp_path / "view")
    shown = {path.name: nibabel.load(path) for path in (tmp_path / "view").iterdir()}
    return scan, heat, labels, affine, shown


def test_values_are_kept_to_a_step(written):
    scan, heat, labels, _, shown = written
    assert sorted(shown) == ["heat.nii.gz", "regions.nii.gz", "scan.nii.gz"]
    assert {str(one.get_data_dtype()) for one in shown.values()} == {"uint8"}
    seen = np.clip(heat[BOX], 2 * SCALE[0] - SCALE[1], 3 * SCALE[1] - 2 * SCALE[0])
    assert np.abs(shown["heat.nii.gz"].get_fdata() - seen).max() <= 4 / 255 / 2 + 1e-5
    grey = shown["scan.nii.gz"].get_fdata()
    assert np.abs(grey - np.minimum(scan[BOX], grey.max())).max() <= 1 / 255
    assert np.array_equal(shown["regions.nii.gz"].get_fdata(), labels[BOX])


def test_every_voxel_lies_where_it_lay(written):
    affine, shown = written[3], written[4]
    for image in shown.values():
        assert image.shape == (10, 10, 10)
        assert np.allclose(image.affine @ [1, 2, 3, 1], affine @ [6, 6, 6, 1])


def test_without_heat_or_regions_there_is_the_scan_alone(tmp_path):
    write_view(np.ones((3, 4, 5), np.float32), None, None, np.eye(4), SCALE, tmp_path / "view")
    assert [path.name for path in (tmp_path / "view").iterdir()] == ["scan.nii.gz"]
    assert nibabel.load(tmp_path / "view/scan.nii.gz").shape == (3, 4, 5)


def test_a_region_in_dark_places_is_not_cut_off():
    scan, labels = np.zeros((6, 6, 6), np.float32), np.zeros((6, 6, 6), np.uint16)
    scan[2:4, 2:4, 2:4], labels[5, 0, 3] = 1, 1
    assert head_of(scan, 0.5, labels) == (slice(2, 6), slice(0, 4), slice(2, 4))


def test_what_is_no_number_is_dark():
    assert in_bytes(np.float32([[[np.nan, -1, 0.5, 7]]]), 0, 1).tolist() == [[[0, 0, 128, 255]]]
