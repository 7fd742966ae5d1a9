from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from atypia.reading.row import Row
from atypia.reading.volumes import list_slices, open_volume
from atypia.report.volume import LISTED, lead, write_volume_page
from atypia.report.volume_pictures import projections, slices_to_look_at
from atypia.scan import Finding, Region
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.volume_gathering import VolumeGathering

AFFINE = np.array([[-0.9, 0.1, 0, 30], [0.1, 0.9, 0.2, -25], [0, -0.2, 4.0, 3], [0, 0, 0, 1]])
MAKER = Maker("brain", "atlas", "0.1", (0.5, 1.0), "ab" * 32, "No guarantee.")


@pytest.fixture(scope="module")
def finding(draw_heads, tmp_path_factory) -> VolumeFinding:
    """A volume of five oblique axial slices; all but the first show the same bright place."""
    file = tmp_path_factory.mktemp("Planted Name") / "sub-SECRET_T1w.nii.gz"
    heads, _ = draw_heads(5, 64, seed=2)
    nibabel.save(
        nibabel.Nifti1Image(np.stack([900 * head.T for head in heads], 2).astype(np.float32), AFFINE), file
    )
    gathering = VolumeGathering(None, maps=True)
    for place, row in enumerate(list_slices(Row(file, "Planted Name/sub-SECRET_T1w.nii.gz", sequence="T1"))):
        heat, marks = np.zeros((64, 64), np.float32), np.zeros((64, 64), np.uint8)
        heat[20:30, 30:36] = place / 2
        marks[20:30, 30:36] = place > 0
        region = Region(60, place / 2, place / 2, 0.02, (25, 33), (20, 30, 30, 36))
        gathering.add(
            row,
            Finding(
                row.name,
                float(place),
                0.1 + place / 10,
                place > 2,
                2.5,
                heat,
                regions=(region,) * (place > 0),
                region_map=marks,
            ),
        )
    found = gathering.finish()
    assert found is not None
    return found


def page_of(finding: VolumeFinding, folder: Path, maker: Maker = MAKER) -> str:
    return write_volume_page(finding, maker, folder).read_text(encoding="utf-8")


def test_the_page_tells_what_was_found_and_by_what(finding, tmp_path):
    page = page_of(
        replace(finding, p_value=0.04, healthy_volumes=49, notes=("a note of the file",)), tmp_path
    )
    assert "Volume 1: 2 of 5 slices flagged" in page
    for told in (
        "1 of the 49 healthy volumes",
        "p = 0.04, where 0.02 is the least",
        "a note of the file",
        "ab" * 32,
        "Detector",
        "atlas",
        "No guarantee.",
        "T1",
        "axial",
    ):
        assert told in page
    assert page.count("Research use only. Not a medical device.") >= 2
    assert all(name in page for name in ("ax004", "ax003", "ax002"))
    assert f"{finding.regions[0].volume_mm3:,.0f}" in page
    assert page.count("data:image/png;base64,") == 3 * 2 + 3
    assert (tmp_path / "volume-0001.html").is_file()


def test_the_page_names_nobody_runs_no_script_and_fetches_nothing(finding, tmp_path):
    page = page_of(replace(finding, error="Planted Name/sub-SECRET_T1w.nii.gz: expected, received"), tmp_path)
    assert "SECRET" not in page
    assert "Planted" not in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href|srcset)=\"(?!data:|#)", page)
    assert "url(" not in page


def test_a_volume_whose_patients_are_not_known_has_no_p_value(finding, tmp_path):
    page = page_of(finding, tmp_path, replace(MAKER, sha256=None))
    assert "is not known: the Screener was not fitted with" in page
    assert "not saved" in page


def test_a_volume_above_all_healthy_ones_is_told_so(finding):
    told = lead(replace(finding, p_value=0.1, healthy_volumes=9))
    assert "None of the 9 healthy volumes" in told
    assert "p = 0.1, where 0.1 is the least" in told


def test_without_regions_or_notes_their_parts_are_left_out(finding, tmp_path):
    labels = np.zeros_like(finding.labels)
    page = page_of(replace(finding, regions=(), labels=labels), tmp_path)
    assert "no place is unlike healthy scans" in page
    assert 'id="regions"' not in page
    assert 'class="notes"' not in page
    assert "unfit" not in page


def test_many_regions_are_cut_short_and_the_reader_is_told(finding, tmp_path):
    many = tuple(replace(finding.regions[0], rank=rank) for rank in range(1, LISTED + 5))
    page = page_of(replace(finding, regions=many), tmp_path)
    assert f"The first {LISTED} of {LISTED + 4}" in page
    assert page.count('<th scope="row" class="number">') == LISTED


def test_a_volume_of_which_nothing_was_judged_has_no_page(finding, tmp_path):
    with pytest.raises(ValueError, match="a slice was judged"):
        write_volume_page(replace(finding, score=None), MAKER, tmp_path)


def test_pictures_have_the_proportions_of_the_patient(finding):
    volume = open_volume(finding.path)
    shown = dict(projections(finding, volume, MAKER.heat_scale))
    assert list(shown) == ["axial", "coronal", "sagittal"]
    assert shown["axial"].sides == ("R", "L")
    assert shown["sagittal"].sides == ("A", "P")
    for plane in ("coronal", "sagittal"):
        assert shown[plane].shape[0] == pytest.approx(5 * 4.0, rel=0.01), "five slices of four millimetres"
    height, width = shown["axial"].shape
    assert 0.7 * 58 < height <= 64 * 0.93
    assert width <= 64 * 0.93


def test_slices_say_which_regions_they_hold(finding):
    shown = list(slices_to_look_at(finding, open_volume(finding.path), MAKER.heat_scale))
    assert [(one.name, one.flagged, one.regions) for one in shown] == [
        ("ax004", True, (1,)),
        ("ax003", True, (1,)),
        ("ax002", False, (1,)),
    ]
    assert shown[0].scan.shape == shown[0].heat.shape
    assert shown[0].scan.address != shown[0].heat.address
