from __future__ import annotations

import nibabel
import numpy as np
import pytest

from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.reading.volumes import list_slices
from atypia.scan import Finding, Region
from atypia.volume_finding import Maker
from atypia.writing.volume_gathering import VolumeGathering
from atypia.writing.volume_nifti import write_volume_nifti

MAKER = Maker("brain", "atlas", "0.1", (0.5, 2.0))
GRIDS = {
    "straight": np.diag([1, 1, 3, 1.0]),
    "left to right, counted down": np.array([[-1.5, 0, 0, 80], [0, 1, 0, -60], [0, 0, -2, 90], [0, 0, 0, 1]]),
    "axes swapped": np.array([[0, 0, 2.0, -9], [-1, 0, 0, 5], [0, 1.2, 0, 3], [0, 0, 0, 1]]),
    "oblique": np.array([[0.9, -0.3, 0.2, -40], [0.3, 0.9, -0.4, 10], [0.0, 0.3, 2.5, 7], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("grid", GRIDS)
def test_map_and_mask_lie_where_the_volume_does(grid, plane, tmp_path, rng):
    """The bright voxels of the volume come out again as the map's and the mask's, whatever the grid."""
    affine, source = GRIDS[grid], tmp_path / "sub-1_T1w.nii.gz"
    pixels = rng.uniform(0.1, 1, (34, 36, 33)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(pixels, affine), source)
    gathering = VolumeGathering(None, maps=True)
    for row in list_slices(Row(source, source.name, plane=plane)):
        shown = read_row(row).pixels
        marks = np.asarray(shown > 0.8, np.uint8)
        region = Region(1, 1.0, 1.0, 0.05, (0, 0), (0, 0, 1, 1))
        gathering.add(
            row, Finding(row.name, 1.0, 0.5, False, 9.0, shown, regions=(region,), region_map=marks)
        )
    found = gathering.finish()
    assert found is not None
    heat, mask = (nibabel.load(path) for path in write_volume_nifti(found, MAKER, tmp_path / "out"))
    for image in (heat, mask):
        assert image.shape == pixels.shape
        np.testing.assert_allclose(image.affine, affine, atol=1e-5)
        assert nibabel.aff2axcodes(image.affine) == nibabel.aff2axcodes(affine)
    np.testing.assert_array_equal(heat.get_fdata(dtype=np.float32), pixels)
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, pixels > 0.8)
    assert (float(heat.header["cal_min"]), float(heat.header["cal_max"])) == MAKER.heat_scale
    for region in found.regions:
        at = np.argwhere(np.asarray(mask.dataobj) == region.rank)
        assert region.centre == pytest.approx(nibabel.affines.apply_affine(affine, at).mean(axis=0))


def test_without_maps_nothing_is_written(tmp_path, rng):
    source = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(rng.uniform(size=(40, 40, 3)).astype(np.float32), np.eye(4)), source)
    gathering = VolumeGathering(None, maps=False)
    for row in list_slices(Row(source, source.name)):
        gathering.add(row, Finding(row.name, 1.0, 0.5, False, 9.0))
    found = gathering.finish()
    assert found is not None
    assert (found.heat, found.labels, found.regions, found.judged) == (None, None, (), 3)
    assert write_volume_nifti(found, MAKER, tmp_path / "out") == []
    assert not (tmp_path / "out").exists()
