from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from atypia.reading.dicom import read_dicom
from atypia.writing.dicom import write_capture
from atypia.writing.dicom.capture import draw


def test_each_slice_to_look_at_is_a_picture_in_the_study(classic, maker, tmp_path):
    files = write_capture(classic.finding, maker, tmp_path)
    assert [file.name for file in files] == [f"volume-0001-sc-{rank}.dcm" for rank in (1, 2, 3)]
    made = [pydicom.dcmread(file) for file in files]
    assert len({one.SOPInstanceUID for one in made}) == 3
    assert len({one.SeriesInstanceUID for one in made}) == 1
    volume = read_dicom(classic.files[0])
    by_uid = {data.SOPInstanceUID: data for data in map(pydicom.dcmread, classic.files)}
    for one, index in zip(made, classic.finding.look_at, strict=True):
        assert np.array_equal(one.pixel_array, draw(classic.finding, maker, volume, index))
        (source,) = one.SourceImageSequence
        assert by_uid[source.ReferencedSOPInstanceUID].ImagePositionPatient[2] == 10 + 5 * index
        assert (one.BurnedInAnnotation, one.ConversionType) == ("NO", "WSD")
        assert one.PatientOrientation == ["L", "P"]
        assert str(one.PatientName) == "Müller^Quentin"
        assert one.StudyInstanceUID == by_uid[source.ReferencedSOPInstanceUID].StudyInstanceUID


def test_text_that_is_burnt_into_the_source_is_told_of(classic, maker, tmp_path):
    for file in classic.files:
        data = pydicom.dcmread(file)
        data.BurnedInAnnotation = "YES"
        data.save_as(tmp_path / file.name)
    found = replace(classic.finding, path=tmp_path / classic.files[0].name)
    made = [pydicom.dcmread(file) for file in write_capture(found, maker, tmp_path / "out")]
    assert [one.BurnedInAnnotation for one in made] == ["YES"] * 3


def test_the_notice_is_burnt_in_below_two_panels_of_square_pixels(classic, maker):
    volume = read_dicom(classic.files[0])
    picture = draw(classic.finding, maker, volume, 4)
    # 48 rows of 1.5 mm beside 48 columns of 1 mm: a panel is half again as high as wide.
    assert picture.shape == (512 + 4 * 22 + 20, 2 * 341, 3)
    plain, marked = picture[:512, :341].astype(int), picture[:512, 341:].astype(int)
    assert np.ptp(plain, axis=2).max() == 0, "the left panel is the scan as it is"
    assert np.ptp(marked, axis=2).max() > 100
    amber = np.all(picture[512:] == (255, 190, 60), axis=2)
    assert amber.sum() > 200
    assert amber[40:].sum() == 0, "the notice is the first line"


def test_a_frame_of_an_enhanced_file_is_named(enhanced, maker, tmp_path):
    made = [pydicom.dcmread(file) for file in write_capture(enhanced.finding, maker, tmp_path)]
    (source,) = map(pydicom.dcmread, enhanced.files)
    for one, index in zip(made, enhanced.finding.look_at, strict=True):
        (item,) = one.SourceImageSequence
        frame = source.PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
        assert frame.PlanePositionSequence[0].ImagePositionPatient[2] == 10 + 5 * index


@pytest.mark.parametrize(("plane", "way"), [("coronal", ["L", "F"]), ("sagittal", ["P", "F"])])
def test_slices_cut_across_the_images_refer_to_the_first_and_the_last(
    classic, found_in, maker, tmp_path, plane, way
):
    made = pydicom.dcmread(write_capture(found_in(classic.files[0], plane=plane), maker, tmp_path)[0])
    assert made.PatientOrientation == way
    assert [item.ReferencedSOPInstanceUID[-2:] for item in made.SourceImageSequence] == [".1", ".6"]
