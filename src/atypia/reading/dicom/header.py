"""From the header of a DICOM file to its Frames: classic files with one image, enhanced ones with many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import AGAIN, FARTHEST, number, numbers, open_dataset, part, text
from atypia.reading.dicom.exclusion import why_aside, why_unusable
from atypia.reading.dicom.frame import Frame
from atypia.reading.dicom.patient_key import group_of
from atypia.reading.dicom.sequence import Timing, name_sequence

MAX_FRAMES = 20_000
_MR_IMAGES = {f"1.2.840.10008.5.1.4.1.1.4{kind}" for kind in ("", ".1", ".3", ".4")}


def read_frames(path: Path) -> tuple[Frame, ...]:
    """Read the header of a file; return its images, none where it holds no image.

    Raises UnreadableScan where the header cannot be read.
    """
    data = open_dataset(path, pixels=False)
    if number(data, "Rows") is None and _is_image(data):
        raise UnreadableScan(
            path, "a whole DICOM image", "a header that is cut short or lacks its size", AGAIN
        )
    if text(data, "SOPClassUID") == "" or number(data, "Rows") is None:
        return ()
    try:
        common = _common(path, data)
        many = common.unusable is None and (common.count > 1 or _groups(data))
        return tuple(_enhanced(data, common)) if many else (_classic(data, common),)
    except UnreadableScan:
        raise
    except Exception:  # malformed sequences draw almost any exception; its words may quote the header
        raise UnreadableScan(
            path, "a DICOM header as the standard has it", "a malformed one", "Export the series again."
        ) from None


def _is_image(data: Any) -> bool:
    """Tell by its class whether an object is an MR image, where the header still says or the file does."""
    kinds = {text(data, "SOPClassUID"), text(getattr(data, "file_meta", None), "MediaStorageSOPClassUID")}
    return bool(kinds & _MR_IMAGES)


def _common(path: Path, data: Any) -> Frame:
    """Return what all images of a file share."""
    words = " ".join(text(data, name) for name in ("SeriesDescription", "ProtocolName", "SequenceName"))
    series_number = number(data, "SeriesNumber")
    return Frame(
        path=path,
        number=None,
        series=text(data, "SeriesInstanceUID"),
        instance=text(data, "SOPInstanceUID"),
        series_number=None if series_number is None else int(series_number),
        modality=text(data, "Modality"),
        size=(int(number(data, "Rows") or 0), int(number(data, "Columns") or 0)),
        position=None,
        orientation=None,
        spacing=None,
        thickness=None,
        count=int(number(data, "NumberOfFrames") or 1),
        slope=1.0,
        intercept=0.0,
        variants=(),
        sequence=name_sequence(
            words,
            Timing(
                number(data, "RepetitionTime"),
                number(data, "EchoTime"),
                number(data, "InversionTime"),
                frozenset(text(data, "ScanningSequence").split("\\")),
            ),
            contrast=text(data, "AcquisitionContrast"),
            agent=text(data, "ContrastBolusAgent"),
        ).sure,
        scanner=_scanner(data),
        group=group_of(
            text(data, "PatientID"), text(data, "StudyInstanceUID"), text(data, "IssuerOfPatientID")
        ),
        aside=why_aside(data, text(data, "ImageType"), words),
        unusable=why_unusable(data),
    )


def _scanner(data: Any) -> str | None:
    """Return maker, model and field strength of the scanner."""
    field = number(data, "MagneticFieldStrength")
    tesla = None if not field else field / 10_000 if field > 100 else field
    words = [text(data, "Manufacturer"), text(data, "ManufacturerModelName")]
    return " ".join(filter(None, [*words, f"{tesla:.2g}T" if tesla else ""])) or None


def _classic(data: Any, common: Frame) -> Frame:
    slope, thickness = number(data, "RescaleSlope"), number(data, "SpacingBetweenSlices", FARTHEST)
    return replace(
        common,
        position=numbers(data, "ImagePositionPatient", 3, FARTHEST),
        orientation=numbers(data, "ImageOrientationPatient", 6, FARTHEST),
        spacing=numbers(data, "PixelSpacing", 2, FARTHEST),
        thickness=thickness or number(data, "SliceThickness", FARTHEST),
        slope=1.0 if slope is None else slope,
        intercept=number(data, "RescaleIntercept") or 0.0,
        variants=(
            number(data, "EchoTime"),
            number(data, "DiffusionBValue"),
            number(data, "TemporalPositionIdentifier"),
            number(data, "AcquisitionNumber"),
            number(data, "TriggerTime"),
        ),
    )


def _groups(data: Any) -> bool:
    return bool("PerFrameFunctionalGroupsSequence" in data or "SharedFunctionalGroupsSequence" in data)


def _enhanced(data: Any, common: Frame) -> Iterator[Frame]:
    """Yield the frames of an enhanced file; what a frame does not say itself, all of them share."""
    frames = data.get("PerFrameFunctionalGroupsSequence") or ()
    if len(frames) != common.count or common.count > MAX_FRAMES:
        received = f"{common.count} frames and places for {len(frames)}"
        raise UnreadableScan(
            common.path,
            f"at most {MAX_FRAMES:,} frames, each with its place in the patient",
            received,
            "Export the series as single slices, or as an enhanced MR image.",
        )
    shared = part(data, "SharedFunctionalGroupsSequence")
    for index, own in enumerate(frames):
        yield _frame(replace(common, number=index), own, shared)


def _frame(common: Frame, own: Any, shared: Any) -> Frame:
    def group(name: str) -> Any:
        return part(own, name) or part(shared, name)

    measures, values = group("PixelMeasuresSequence"), group("PixelValueTransformationSequence")
    content, echo, timing = (
        group("FrameContentSequence"),
        group("MREchoSequence"),
        group("MRTimingAndRelatedParametersSequence"),
    )
    slope, thickness = number(values, "RescaleSlope"), number(measures, "SpacingBetweenSlices", FARTHEST)
    kind = text(group("MRImageFrameTypeSequence"), "FrameType")
    contrast = text(group("MRImageFrameTypeSequence"), "AcquisitionContrast")
    guess = name_sequence(
        "",
        Timing(number(timing, "RepetitionTime"), number(echo, "EffectiveEchoTime")),
        contrast=contrast,
    )
    return replace(
        common,
        position=numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3, FARTHEST),
        orientation=numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6, FARTHEST),
        spacing=numbers(measures, "PixelSpacing", 2, FARTHEST),
        thickness=thickness or number(measures, "SliceThickness", FARTHEST),
        slope=1.0 if slope is None else slope,
        intercept=number(values, "RescaleIntercept") or 0.0,
        sequence=common.sequence or guess.sure,
        aside=common.aside or why_aside(None, kind, ""),
        variants=(
            number(echo, "EffectiveEchoTime"),
            number(group("MRDiffusionSequence"), "DiffusionBValue"),
            number(content, "TemporalPositionIndex"),
            number(content, "FrameAcquisitionNumber"),
            text(content, "StackID") or None,
        ),
    )
