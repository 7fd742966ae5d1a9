from __future__ import annotations

from dataclasses import replace

import highdicom
import pydicom
import pytest

from atypia.writing.dicom import write_report, write_segmentation

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(params=["classic", "enhanced"])
def case(request):
    return request.getfixturevalue(request.param)


def numbers_of(group) -> dict[str, tuple[float, str]]:
    return {
        item.name.meaning: (item.value, item.unit.value)
        for item in group.get_measurements()
    }  # fmt: skip


def test_scores_and_regions_stand_in_it(case, maker, tmp_path):
    (path,) = write_report(case.finding, maker, tmp_path)
    content = highdicom.sr.srread(path).content
    (whole,) = content.get_image_measurement_groups()
    assert numbers_of(whole) == {
        "Score: mean of the three highest slice scores": (case.finding.score, "1"),
        "Highest score of a slice": (case.finding.highest, "1"),
        "P-Value": (0.0625, "1"),
        "Score above which a slice is flagged": (4.5, "1"),
        "Slices judged": (6, "1"),
        "Slices flagged": (3, "1"),
    }
    groups = content.get_volumetric_roi_measurement_groups()
    assert len(groups) == 2
    for group, region in zip(groups, case.finding.regions, strict=True):
        right, anterior, superior = region.centre
        assert numbers_of(group) == {
            "Volume": (region.volume_mm3, "mm3"),
            "Centre of the region towards the left": (-right, "mm"),
            "Centre of the region towards posterior": (-anterior, "mm"),
            "Centre of the region towards superior": (superior, "mm"),
            "Peak of the heat map in the region": (region.peak, "1"),
            "Mean of the heat map in the region": (region.mean, "1"),
            "Smallest p-value of the region in a slice": (region.p_value, "1"),
        }


def test_it_refers_to_the_segments_and_to_the_slices_to_look_at(case, maker, tmp_path):
    (path,) = write_report(case.finding, maker, tmp_path)
    (segmentation,) = map(pydicom.dcmread, write_segmentation(case.finding, maker, tmp_path))
    made = highdicom.sr.srread(path)
    assert made.StudyInstanceUID == segmentation.StudyInstanceUID
    for group, segment in zip(
        made.content.get_volumetric_roi_measurement_groups(), segmentation.SegmentSequence, strict=True
    ):
        (reference,) = (item for item in group[0].ContentSequence if item.ValueType == "IMAGE")
        (image,) = reference.ReferencedSOPSequence
        assert image.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert image.ReferencedSegmentNumber == segment.SegmentNumber
        assert group.tracking_uid == segment.TrackingUID
    (whole,) = made.content.get_image_measurement_groups()
    heights = []
    for image in whole.source_images:
        source = next(
            data
            for data in map(pydicom.dcmread, case.files)
            if data.SOPInstanceUID == image.referenced_sop_instance_uid
        )
        if image.referenced_frame_numbers:
            source = source.PerFrameFunctionalGroupsSequence[image.referenced_frame_numbers[0] - 1]
            source = source.PlanePositionSequence[0]
        heights.append(source.ImagePositionPatient[2])
    assert heights == [10 + 5 * index for index in case.finding.look_at]
    evidence = {
        image.ReferencedSOPInstanceUID
        for study in made.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for image in series.ReferencedSOPSequence
    }
    sources = {pydicom.dcmread(file).SOPInstanceUID for file in case.files}
    assert evidence == {*sources, segmentation.SOPInstanceUID}


def test_it_is_preliminary_and_for_research(classic, maker, tmp_path):
    (path,) = write_report(classic.finding, maker, tmp_path)
    made = highdicom.sr.srread(path)
    assert (made.PreliminaryFlag, made.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    for group in (
        *made.content.get_image_measurement_groups(),
        *made.content.get_volumetric_roi_measurement_groups(),
    ):
        (use,) = group.get_qualitative_evaluations()
        assert use.value.meaning == "Research use only. Not a medical device."


def test_a_volume_without_regions_or_p_value_has_its_scores_alone(classic, maker, tmp_path):
    finding = replace(classic.without_regions(), p_value=None)
    (path,) = write_report(finding, maker, tmp_path)
    content = highdicom.sr.srread(path).content
    assert not content.get_volumetric_roi_measurement_groups()
    (whole,) = content.get_image_measurement_groups()
    assert "P-Value" not in numbers_of(whole)
    assert write_report(replace(finding, score=None), maker, tmp_path / "none") == []


def test_slices_cut_across_the_images_are_no_images_to_look_at(classic, found_in, maker, tmp_path):
    (path,) = write_report(found_in(classic.files[0], plane="coronal"), maker, tmp_path)
    (whole,) = highdicom.sr.srread(path).content.get_image_measurement_groups()
    assert whole.source_images == []
