"""The slices to look at first as pictures in the study: DICOM Secondary Captures with the heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from atypia.notice import RESEARCH_USE_ONLY
from atypia.overlay import grey_share, outlined, overlay
from atypia.reading.volume import Volume, slice_name
from atypia.reading.volumes import open_volume
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.dicom.lineage import Lineage, lineage_of
from atypia.writing.dicom.saving import save
from atypia.writing.dicom.source import Source, read_source

# Where the columns and the rows of a slice lead, as Volume shows it.
_DIRECTIONS = {"axial": ("L", "P"), "coronal": ("L", "F"), "sagittal": ("P", "F")}
_SIDE = 512
_LINE, _MARGIN, _LETTERS = 22, 10, 15
_AMBER, _GREY = (255, 190, 60), (210, 210, 210)

Picture = NDArray[np.uint8]


def write_capture(finding: VolumeFinding, maker: Maker, folder: Path) -> Sequence[Path]:
    """Write a picture of each slice to look at, as `volume-NUMBER-sc-RANK.dcm`; return the files.

    Each shows the slice beside the same slice under its heat map, both with square pixels, and below them the
    notice, the score, and the colours' scale. The notice is burnt in; nothing that names the patient is.
    Raises UnreadableScan where the series cannot be referred to, and OutputError.
    """
    if finding.heat is None or finding.plane is None or not finding.look_at:
        return []
    source = read_source(finding)
    lineage = lineage_of(finding, maker, source)
    volume = open_volume(finding.path, volume=finding.volume)
    written = []
    for rank, index in enumerate(finding.look_at, start=1):
        picture = draw(finding, maker, volume, index)
        place = folder / f"volume-{finding.number:04}-sc-{rank}.dcm"
        written.append(
            save(
                lambda picture=picture, rank=rank, index=index: _capture(  # type: ignore[misc]
                    picture, finding, source, lineage, rank, index
                ),
                place,
                series=finding.path,
            )
        )
    return written


def draw(finding: VolumeFinding, maker: Maker, volume: Volume, index: int) -> Picture:
    """Return the picture (H, W, 3) of a slice, on the left as it is and on the right under its heat map."""
    plane, heat = finding.plane, finding.heat
    assert plane is not None
    assert heat is not None
    scan = volume.slice(plane, index)
    size = _size(scan.pixels.shape, scan.spacing or (1.0, 1.0))
    pixels = _resized(scan.pixels, size, Pictures.Resampling.BICUBIC)
    warm = _resized(volume.stacked(heat, plane)[index], size, Pictures.Resampling.BILINEAR)
    glowing = overlay(pixels, warm, maker.heat_scale)
    if finding.labels is not None:
        glowing = outlined(glowing, _few(volume.stacked(finding.labels, plane)[index], size))
    grey = np.repeat(np.rint(255 * grey_share(pixels))[..., None], 3, axis=2).astype(np.uint8)
    panels = np.concatenate([grey, glowing], axis=1)
    return np.concatenate([panels, _caption(finding, maker, index, panels.shape[1])])


def _few(labels: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the labels of a slice numbered from 1 without gaps, on a grid of another size."""
    _, numbered = np.unique(np.append(0, labels), return_inverse=True)
    small = np.minimum(numbered[1:], 255).reshape(labels.shape).astype(np.float32)
    return _resized(small, size, Pictures.Resampling.NEAREST).astype(np.uint8)


def _size(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[int, int]:
    """Return rows and columns of a panel with square pixels, the longer side always the same."""
    sides = np.array(shape) * np.array(spacing)
    rows, columns = np.maximum(1, np.rint(_SIDE * sides / sides.max())).astype(int).tolist()
    return rows, columns


def _resized(
    values: NDArray[np.float32], size: tuple[int, int], how: Pictures.Resampling
) -> NDArray[np.float32]:
    rows, columns = size
    return np.asarray(
        Pictures.fromarray(np.ascontiguousarray(values)).resize((columns, rows), how), np.float32
    )


def _caption(finding: VolumeFinding, maker: Maker, index: int, width: int) -> Picture:
    assert finding.plane is not None
    one = next(found for found in finding.slice_findings if found.index == index)
    clear, full = maker.heat_scale
    lines = [
        (RESEARCH_USE_ONLY.upper(), _AMBER),
        (
            f"Slice {slice_name(finding.plane, index)}: score {one.score:.4g}, p {one.p_value:.3g}, "
            f"{'above' if one.flagged else 'not above'} the threshold {finding.threshold:.4g}",
            _GREY,
        ),
        (f"Heat: clear up to {clear:.4g}, full from {full:.4g}. Lines: unlike healthy scans", _GREY),
        (f"Atypia {maker.version}, Screener {maker.name} {(maker.sha256 or '')[:12]}", _GREY),
    ]
    strip = Pictures.new("RGB", (width, 2 * _MARGIN + _LINE * len(lines)))
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(_LETTERS)
    for number, (line, colour) in enumerate(lines):
        pen.text((_MARGIN, _MARGIN + _LINE * number), line, fill=colour, font=font)
    return np.asarray(strip, np.uint8)


def _capture(
    picture: Picture, finding: VolumeFinding, source: Source, lineage: Lineage, rank: int, index: int
) -> Any:
    from highdicom.sc import SCImage

    assert finding.plane is not None
    first = source.first
    made = SCImage(
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=_DIRECTIONS[finding.plane],
        study_instance_uid=first.StudyInstanceUID,
        patient_id=first.PatientID,
        patient_name=first.PatientName,
        patient_birth_date=first.PatientBirthDate,
        patient_sex=first.PatientSex,
        accession_number=first.AccessionNumber,
        study_id=first.StudyID,
        study_date=first.StudyDate,
        study_time=first.StudyTime,
        referring_physician_name=first.ReferringPhysicianName,
        specific_character_set=first.get("SpecificCharacterSet"),
        **lineage.general("sc", rank),
    )
    made.copy_patient_and_study_information(first)
    made.ConversionType = "WSD"
    # What is drawn names nobody; what the source has burnt in is drawn with it.
    made.BurnedInAnnotation = "YES" if first.get("BurnedInAnnotation") == "YES" else "NO"
    made.BodyPartExamined = "BRAIN"
    made.ImageComments = RESEARCH_USE_ONLY
    made.SourceImageSequence = _references(source, index)
    return made


def _references(source: Source, index: int) -> list[Any]:
    """Return the image that the slice is of; where it was cut across the images, the first and the last."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    found = source.image_of(index)
    images = [found] if found else [source.image(0), source.image(len(source.frames) - 1)]
    items = []
    for header, frame in images:
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        if frame is not None:
            item.ReferencedFrameNumber = frame
        item.PurposeOfReferenceCodeSequence = [
            CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
        ]
        items.append(item)
    return items
