"""Where a slice lies along the head does not depend on how it was cut into slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.reading.head_extent import head_areas, position, with_head
from atypia.reading.picture import read_picture
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.reading.volume import PLANES, Volume
from atypia.reading.volumes import list_slices


def ball(thickness: float = 1.0, *, turned: bool = False, below: float = -40.0) -> Volume:
    """A ball of 30 mm radius around the origin in voxels of 2 x 2 x thickness mm, cut from `below` mm on."""
    places = np.arange(below, 40.0 + 1e-9, thickness)
    side = np.arange(-40.0, 41.0, 2.0)
    i, j, k = np.meshgrid(side, side, places, indexing="ij")
    pixels = np.where(i**2 + j**2 + k**2 < 900, 100.0, 0.0).astype(np.float32)
    affine = np.diag([2.0, 2.0, thickness, 1.0])
    affine[:3, 3] = side[0], side[0], places[0]
    if turned:
        pixels = pixels[:, :, ::-1].copy()
        affine[2, 3], affine[2, 2] = places[-1], -thickness
    return Volume(pixels, affine, "ball")


def at(volume: Volume, height: float) -> float:
    """The position of the slice at so many mm from the origin."""
    return position(volume, "axial", round((height - volume.affine[2, 3]) / volume.affine[2, 2]))


def test_the_middle_is_the_middle_and_the_ends_are_the_ends():
    volume = ball()
    assert at(volume, 0) == pytest.approx(0.5, abs=0.01)
    assert [at(volume, -40), at(volume, 40)] == [0, 1]
    assert 0 < at(volume, -24) < at(volume, 24) < 1


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([1.0, 2.0, 4.0, 5.0]), st.booleans(), st.sampled_from([-20.0, 0.0, 20.0]))
def test_thickness_and_direction_change_nothing(thickness, turned, height):
    expected = at(ball(), height)
    assert at(ball(thickness, turned=turned), height) == pytest.approx(expected, abs=0.03)


def test_a_volume_that_begins_within_the_head_begins_there():
    cut = ball(below=-10.0)
    assert at(cut, -10) < 0.02
    assert at(cut, 0) < at(ball(), 0)


@pytest.mark.parametrize("plane", PLANES)
def test_positions_rise_from_the_inferior_posterior_or_right_end(plane):
    volume = ball()
    listed = with_head(volume, plane)
    places = [position(volume, plane, index) for index in listed]
    # The grid counts towards right, anterior and superior.
    assert places == sorted(places, reverse=plane == "sagittal")
    assert min(places) < 0.05
    assert max(places) > 0.95


def test_nothing_to_see_has_positions_all_the_same():
    empty = Volume(np.zeros((20, 20, 11), np.float32), np.eye(4), "empty")
    assert with_head(empty, "axial") == list(range(11))
    assert position(empty, "axial", 5) == pytest.approx(0.5)
    assert head_areas(empty, "axial").max() == 0


def test_a_slice_that_is_read_has_its_position_and_a_picture_none(tmp_path):
    import nibabel
    from PIL import Image

    volume = ball()
    nibabel.save(nibabel.Nifti1Image(volume.pixels, volume.affine), tmp_path / "a.nii.gz")
    rows = list_slices(Row(tmp_path / "a.nii.gz", "a"))
    found = [read_row(row).position for row in rows]
    assert found == [position(volume, "axial", row.slice or 0) for row in rows]
    Image.fromarray(np.uint8(volume.pixels[:, :, 40])).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").position is None
