"""What was found of a volume as a DICOM Structured Report: a measurement report by template TID 1500."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atypia.volume_finding import Maker, VolumeFinding, VolumeRegion
from atypia.writing.dicom.codes import own, p_value, schemes
from atypia.writing.dicom.lineage import Lineage, lineage_of
from atypia.writing.dicom.saving import save
from atypia.writing.dicom.source import Source, read_source

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def write_report(finding: VolumeFinding, maker: Maker, folder: Path) -> Sequence[Path]:
    """Write `volume-NUMBER-sr.dcm`; return it, none where no slice was judged.

    It is a Comprehensive 3D SR (PS3.3 A.35.13): one group of measurements about the whole volume (TID 1501)
    with its score and p-value, and one for each region (TID 1411) with its volume, centre, heat and p-value,
    which refers to the region's segment in the file that `write_segmentation` writes. Raises as that does.
    """
    if finding.score is None:
        return []
    source = read_source(finding)
    lineage = lineage_of(finding, maker, source)
    place = folder / f"volume-{finding.number:04}-sr.dcm"
    return [save(lambda: _report(finding, source, lineage), place, series=finding.path)]


def _report(finding: VolumeFinding, source: Source, lineage: Lineage) -> Any:
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    regions = finding.regions if finding.labels is not None else ()
    groups = [_of_volume(finding, source, lineage), *(_of_region(one, source, lineage) for one in regions)]
    report = MeasurementReport(
        observation_context=_context(lineage),
        procedure_reported=codes.LN.BrainMRI,
        imaging_measurements=groups,
    )
    evidence = [*source.headers, _segmentation_stub(source, lineage)] if regions else list(source.headers)
    return Comprehensive3DSR(
        evidence=evidence,
        content=report[0],
        is_complete=True,
        coding_schemes=schemes(),
        **lineage.general("sr"),
    )


def _context(lineage: Lineage) -> Any:
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    attributes = lineage.general("sr")
    device = DeviceObserverIdentifyingAttributes(
        uid=lineage.device_uid(),
        name="Atypia",
        manufacturer_name="Atypia",
        model_name=attributes["manufacturer_model_name"],
        serial_number=attributes["device_serial_number"],
    )
    observer = ObserverContext(codes.DCM.Device, device)
    return ObservationContext(observer_device_context=observer)


def _algorithm(lineage: Lineage) -> Any:
    from highdicom.sr import AlgorithmIdentification

    told = [f"{name}: {value}" for name, value in lineage.parameters.items()]
    return AlgorithmIdentification(lineage.algorithm, lineage.maker.version, told)


def _of_volume(finding: VolumeFinding, source: Source, lineage: Lineage) -> Any:
    """Return the group about the whole; its source images are the slices to look at."""
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    numbers = [
        _number(own("score"), finding.score),
        _number(own("highest"), finding.highest),
        _number(p_value(), finding.p_value),
        _number(own("threshold"), finding.threshold),
        _number(own("judged"), finding.judged),
        _number(own("flagged"), finding.flagged),
    ]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(lineage.uid("whole"), "Whole volume"),
        finding_type=own("volume"),
        algorithm_id=_algorithm(lineage),
        measurements=[number for number in numbers if number is not None],
        qualitative_evaluations=[_for_research()],
        source_images=_look_at(finding, source) or None,
    )


def _of_region(region: VolumeRegion, source: Source, lineage: Lineage) -> Any:
    from highdicom.sr import (
        Measurement,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom.sr.codedict import codes

    volume = Measurement(
        codes.SCT.Volume,
        _written(region.volume_mm3),
        codes.UCUM.CubicMillimeter,
        method=codes.DCM.SumOfSegmentedVoxelMethodForVolume,
    )
    right, anterior, superior = region.centre
    millimetre = codes.UCUM.Millimeter
    numbers = [
        _number(own("left"), -right, millimetre),  # DICOM counts towards left and posterior
        _number(own("posterior"), -anterior, millimetre),
        _number(own("superior"), superior, millimetre),
        _number(own("peak"), region.peak),
        _number(own("mean"), region.mean),
        _number(own("slice p"), region.p_value),
    ]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(lineage.uid("region", region.rank), f"Region {region.rank}"),
        referenced_segment=_segment(region, source, lineage),
        finding_type=own("region"),
        algorithm_id=_algorithm(lineage),
        measurements=[volume, *(number for number in numbers if number is not None)],
        qualitative_evaluations=[_for_research()],
    )


def _segment(region: VolumeRegion, source: Source, lineage: Lineage) -> Any:
    from highdicom.sr import ReferencedSegment, SourceSeriesForSegmentation

    return ReferencedSegment(
        sop_class_uid=_SEGMENTATION,
        sop_instance_uid=lineage.uid("seg", 1),
        segment_number=region.rank,
        source_series=SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
    )


def _segmentation_stub(source: Source, lineage: Lineage) -> Any:
    """Return as much of the segmentation as a report needs to refer to it."""
    from pydicom import Dataset

    stub = Dataset()
    stub.SOPClassUID, stub.SOPInstanceUID = _SEGMENTATION, lineage.uid("seg", 1)
    stub.StudyInstanceUID = source.first.StudyInstanceUID
    stub.SeriesInstanceUID = lineage.uid("seg series")
    return stub


def _look_at(finding: VolumeFinding, source: Source) -> list[Any]:
    """Return the images to look at first; none where the volume was cut across the images."""
    from highdicom.sr import SourceImageForMeasurementGroup

    images = [found for index in finding.look_at if (found := source.image_of(index)) is not None]
    return [
        SourceImageForMeasurementGroup(
            header.SOPClassUID, header.SOPInstanceUID, None if frame is None else [frame]
        )
        for header, frame in images
    ]


def _for_research() -> Any:
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(own("use"), own("research"))


def _number(name: Any, value: float | None, unit: Any = None) -> Any:
    """Return a measurement, without a unit unless one is given; None where there is no value."""
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    if value is None or not np.isfinite(value):
        return None
    return Measurement(name, _written(value), unit or codes.UCUM.NoUnits)


def _written(value: float) -> float:
    """Round to what a decimal string of DICOM holds in any case."""
    return float(f"{value:.8g}")
