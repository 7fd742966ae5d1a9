from __future__ import annotations

from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest

from atypia.errors import UnreadableScan
from atypia.writing.dicom import write_segmentation

# highdicom remarks on names that are none of its own.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(params=["classic", "enhanced"])
def case(request):
    return request.getfixturevalue(request.param)


def test_every_region_is_a_segment_where_it_lies_in_the_series(case, maker, tmp_path):
    (path,) = write_segmentation(case.finding, maker, tmp_path / "out")
    assert path.name == "volume-0001-seg.dcm"
    made = highdicom.seg.segread(path)
    assert [segment.SegmentNumber for segment in made.SegmentSequence] == [1, 2]
    assert made.SegmentSequence[0].SegmentLabel == "Region 1, p 0.01 (research)"
    found = made.get_volume(combine_segments=True)
    low = int(np.flatnonzero(case.finding.labels.any(axis=(0, 1)))[0])
    # Slices without a region are left out; the rest is one block of the grid, slice by slice from above.
    expected = case.finding.labels[:, :, low : low + found.spatial_shape[0]].transpose(2, 1, 0)
    steps = found.affine[:3, 0]
    pixels = found.array if steps[2] > 0 else found.array[::-1]
    assert np.array_equal(pixels, expected)
    place = case.finding.affine @ [0, 0, low if steps[2] > 0 else low + len(pixels) - 1, 1]
    assert np.allclose(found.affine[:3, 3], place[:3] * [-1, -1, 1])


def test_it_belongs_to_the_study_and_refers_to_the_images(case, maker, tmp_path):
    (path,) = write_segmentation(case.finding, maker, tmp_path)
    made, sources = pydicom.dcmread(path), [pydicom.dcmread(file) for file in case.files]
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert made[name].value == sources[0][name].value
    (series,) = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == sources[0].SeriesInstanceUID != made.SeriesInstanceUID
    known = {source.SOPInstanceUID: source for source in sources}
    for frame in made.PerFrameFunctionalGroupsSequence:
        (image,) = frame.DerivationImageSequence[0].SourceImageSequence
        source = known[image.ReferencedSOPInstanceUID]
        if "ReferencedFrameNumber" in image:
            source = source.PerFrameFunctionalGroupsSequence[image.ReferencedFrameNumber - 1]
            source = source.PlanePositionSequence[0]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient


def test_it_says_what_made_it_and_for_what(classic, maker, tmp_path):
    (path,) = write_segmentation(classic.finding, maker, tmp_path)
    made = pydicom.dcmread(path)
    assert (made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions) == (
        "Atypia", "brain", "0.1.0",
    )  # fmt: skip
    assert "Research use only" in made.SeriesDescription
    segment = made.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "Atypia, Screener brain"
    assert maker.sha256 in algorithm.AlgorithmParameters
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Region unlike healthy scans"


def test_without_a_region_there_is_none(classic, maker, tmp_path):
    assert write_segmentation(classic.without_regions(), maker, tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def lacking(*names):
    def edit(data, _index):
        for name in names:
            if name in data:
                delattr(data, name)

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        lacking("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
        lacking("FrameOfReferenceUID", "PositionReferenceIndicator", "SliceThickness"),
        lacking("SpecificCharacterSet", "PatientName", "PatientID"),
    ],
)
def test_a_meagre_header_is_enough(write_classic, found_in, maker, tmp_path, edit):
    files = write_classic(tmp_path / "series", edit)
    (path,) = write_segmentation(found_in(files[0]), maker, tmp_path)
    assert pydicom.dcmread(path).NumberOfFrames == 4


def test_a_series_without_a_study_is_refused(write_classic, found_in, maker, tmp_path):
    (file,) = write_classic(tmp_path / "series", lacking("StudyInstanceUID"))[:1]
    with pytest.raises(UnreadableScan, match="expected images with StudyInstanceUID, received some without"):
        write_segmentation(found_in(file), maker, tmp_path)
    assert not list(tmp_path.glob("*.dcm"))


def test_a_header_that_cannot_be_taken_over_is_told_without_quoting_it(
    write_classic, found_in, maker, tmp_path
):
    def private(data, _index):
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.3.4711"

    (file,) = write_classic(tmp_path / "series", private)[:1]
    with pytest.raises(UnreadableScan, match="incomplete or not as the standard has it") as told:
        write_segmentation(found_in(file), maker, tmp_path)
    assert "4711" not in str(told.value)
    assert not list(tmp_path.glob("*.dcm"))


def test_slices_that_are_missing_leave_the_others_in_place(write_classic, found_in, heads, maker, tmp_path):
    files = write_classic(tmp_path / "series", pixels=heads)
    finding = found_in(files[0])
    next(file for file in files if pydicom.dcmread(file).SOPInstanceUID.endswith(".3")).unlink()
    left = next(file for file in files if file.exists())
    (path,) = write_segmentation(replace(finding, path=left), maker, tmp_path)
    heights = [
        frame.PlanePositionSequence[0].ImagePositionPatient[2]
        for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1
    ]
    assert sorted(heights) == [25.0, 30.0], "the slice at 20 mm is gone"
