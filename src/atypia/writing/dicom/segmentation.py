"""Regions as a DICOM Segmentation of the series in which they were found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atypia.overlay import OUTLINE
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.dicom.codes import own, schemes
from atypia.writing.dicom.lineage import Lineage, lineage_of
from atypia.writing.dicom.saving import save
from atypia.writing.dicom.source import Source, read_source


def write_segmentation(finding: VolumeFinding, maker: Maker, folder: Path) -> Sequence[Path]:
    """Write the regions of a volume as `volume-NUMBER-seg.dcm`; return that file, none without a region.

    It is a binary Segmentation (PS3.3 A.51) in the study and on the grid of the series: segment k is the
    region of rank k, and frames stand only where it has voxels. Raises UnreadableScan where the series
    cannot be referred to, and OutputError.
    """
    if finding.labels is None or not finding.regions:
        return []
    source = read_source(finding)
    lineage = lineage_of(finding, maker, source)
    place = folder / f"volume-{finding.number:04}-seg.dcm"
    return [save(lambda: _segmentation(finding, source, lineage), place, series=finding.path)]


def _segmentation(finding: VolumeFinding, source: Source, lineage: Lineage) -> Any:
    from highdicom.seg import Segmentation

    assert finding.labels is not None
    frames = finding.labels[:, :, list(source.places)].transpose(2, 1, 0)
    return Segmentation(
        source_images=list(source.headers),
        pixel_array=np.ascontiguousarray(frames),
        segmentation_type="BINARY",
        segment_descriptions=_segments(finding, lineage),
        plane_positions=_positions(source) if source.enhanced else None,
        content_label="ATYPIA",
        content_description="Regions unlike healthy scans. For research only.",
        content_creator_name="Atypia^",
        coding_schemes=schemes(),
        **lineage.general("seg"),
    )


def _segments(finding: VolumeFinding, lineage: Lineage) -> list[Any]:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence(
        name=lineage.algorithm,
        family=codes.DCM.ArtificialIntelligence,
        version=lineage.maker.version,
        source="Atypia",
        parameters=lineage.parameters,
    )
    colour = CIELabColor.from_rgb(*(round(255 * share) for share in OUTLINE))
    return [
        SegmentDescription(
            segment_number=region.rank,
            segment_label=f"Region {region.rank}, p {region.p_value:.3g} (research)",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=own("region"),
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=lineage.uid("region", region.rank),
            tracking_id=f"Region {region.rank}",
            anatomic_regions=[codes.SCT.Brain],
            display_color=colour,
        )
        for region in finding.regions
    ]


def _positions(source: Source) -> list[Any]:
    from highdicom import PlanePositionSequence

    return [PlanePositionSequence("PATIENT", list(frame.position or ())) for frame in source.frames]
