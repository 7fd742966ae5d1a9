"""The headers of the series that a result is about, mended where results need more than they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom import Series, series_of
from atypia.reading.dicom.dataset import number, open_dataset, part, text
from atypia.reading.dicom.frame import Frame
from atypia.reading.quiet import no_warnings
from atypia.reading.volumes import open_volume
from atypia.volume_finding import VolumeFinding
from atypia.writing.dicom.uid import uid_of

# What the standard wants to be there, empty where nobody knows (type 2).
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_SEXES = {"M", "F", "O"}


@dataclass(frozen=True, eq=False)
class Source:
    """The series behind a volume.

    `headers` are pydicom Datasets without pixels: of classic files one for each image, in the order in which
    they lie; of an enhanced file one. `frames` are the images in that order, and `places` where each lies on
    the third axis of the volume's grid. `judged_as_images` tells whether the slices that were judged are the
    images, and not cut across them.
    """

    headers: tuple[Any, ...]
    frames: tuple[Frame, ...]
    places: tuple[int, ...]
    judged_as_images: bool

    @property
    def first(self) -> Any:
        """The header of the first file."""
        return self.headers[0]

    @property
    def enhanced(self) -> bool:
        """Whether one file holds all images."""
        return self.frames[0].number is not None

    @property
    def series_number(self) -> int:
        """The number of the series on the scanner's console; 0 where it has none."""
        return max(0, self.frames[0].series_number or 0)

    def image_of(self, index: int) -> tuple[Any, int | None] | None:
        """Return the header of the image that a judged slice is, and its frame number from 1, if it has one.

        None where no image lies there, or slices were cut across the images.
        """
        if not self.judged_as_images or index not in self.places:
            return None
        return self.image(self.places.index(index))

    def image(self, number: int) -> tuple[Any, int | None]:
        """Return the header of one of the images, and its frame number from 1 in an enhanced file."""
        frame = self.frames[number].number
        return (self.headers[number], None) if frame is None else (self.first, frame + 1)


def read_source(finding: VolumeFinding) -> Source:
    """Read the headers of the series that a finding is of.

    Raises UnreadableScan where it cannot be read, or says too little for a result to refer to it.
    """
    path = finding.path
    if finding.volume is not None:
        raise UnreadableScan(
            path,
            "an enhanced file of one volume, for results that refer to it",
            "one of several",
            "Export each as a series of its own.",
        )
    series = series_of(path)
    if series.stack is None:
        raise UnreadableScan(path, "a series of MR images", "another object")
    stack = series.stack
    files = list(dict.fromkeys(frame.path for frame in stack.frames))
    if stack.frames[0].number is not None and len(files) > 1:
        raise UnreadableScan(
            path,
            "an enhanced series in one file, for results that refer to it",
            f"one in {len(files)} files",
            "Export it as one file, or as single slices.",
        )
    headers = tuple(open_dataset(file, pixels=False) for file in files)
    _mend(path, headers, series)
    across = None if finding.plane is None else open_volume(path).axis_across(finding.plane)
    return Source(headers, stack.frames, stack.places, across == 2)


def _mend(path: Path, headers: tuple[Any, ...], series: Series) -> None:
    """Complete the headers; raise UnreadableScan where what makes a series one is missing."""
    stack = series.stack
    assert stack is not None
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        if not all(text(header, name) for header in headers):
            raise UnreadableScan(
                path, f"images with {name}", "some without", "Export the series from the archive again."
            )
    frame = stack.frames[0]
    step = float(np.linalg.norm(stack.affine[:3, 2]))
    with no_warnings():
        for header in headers:
            _complete(header, headers[0], frame)
            measures = _shared(header, frame, step) if frame.number is not None else header
            measures.PixelSpacing = list(frame.spacing or (1.0, 1.0))
            measures.SpacingBetweenSlices = _decimal(step)
            if not (number(measures, "SliceThickness") or 0) > 0:
                measures.SliceThickness = _decimal(step)


def _complete(header: Any, first: Any, frame: Frame) -> None:
    """Add what may be empty, empty what is malformed, and let all images say alike what they share."""
    for name in _MAY_BE_EMPTY:
        if not text(header, name):
            setattr(header, name, "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    for name in ("PatientBirthDate", "StudyDate", "StudyTime"):
        if not _is_time(name, text(header, name)):
            setattr(header, name, "")
    reference = text(first, "FrameOfReferenceUID")
    header.FrameOfReferenceUID = reference or uid_of("frame of reference", text(first, "SeriesInstanceUID"))
    if "PositionReferenceIndicator" not in header:
        header.PositionReferenceIndicator = ""
    if frame.number is None:
        header.ImageOrientationPatient = list(frame.orientation or ())


def _shared(header: Any, frame: Frame, step: float) -> Any:
    """Let all frames of an enhanced file share direction and measures, as those of one volume do.

    Returns the measures to be filled in.
    """
    from pydicom import Dataset

    groups = part(header, "SharedFunctionalGroupsSequence") or Dataset()
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(frame.orientation or ())
    measures.SliceThickness = _decimal(frame.thickness or step)
    groups.PlaneOrientationSequence, groups.PixelMeasuresSequence = [orientation], [measures]
    header.SharedFunctionalGroupsSequence = [groups]
    return groups.PixelMeasuresSequence[0]


def _is_time(name: str, value: str) -> bool:
    from pydicom.valuerep import DA, TM

    try:
        (TM if name.endswith("Time") else DA)(value)
    except (ValueError, TypeError):
        return False
    return True


def _decimal(value: float) -> str:
    """Return a number as DICOM writes one, in at most 16 letters."""
    return f"{value:.10g}"
