"""The map of a volume and its regions as NIfTI files, and pictures of the slices to look at first."""

from __future__ import annotations

from pathlib import Path

from atypia.reading.volumes import open_volume
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.heatmap import write_heatmap
from atypia.writing.nifti import write_nifti
from atypia.writing.volumes import map_name


def write_volume_nifti(finding: VolumeFinding, maker: Maker, folder: Path) -> list[Path]:
    """Write map and regions on the grid of the volume, and return both files; none without a map.

    `volume-0001.nii.gz` is the map, float32 in the detector's units, 0 where no slice was judged;
    `volume-0001-mask.nii.gz` is uint16, k inside the region of rank k and 0 elsewhere.
    Raises OutputError.
    """
    if finding.heat is None or finding.labels is None or finding.affine is None:
        return []
    heat = folder / map_name(finding)
    mask = folder / map_name(finding).replace(".nii", "-mask.nii")
    write_nifti(finding.heat, finding.affine, heat, name="heat map", window=maker.heat_scale)
    write_nifti(finding.labels, finding.affine, mask, name="regions")
    return [heat, mask]


def write_slices_to_look_at(finding: VolumeFinding, maker: Maker, folder: Path) -> list[Path]:
    """Write each slice to look at first with its map, as PNG, and return the files; raise OutputError."""
    if finding.heat is None or finding.plane is None:
        return []
    volume, written = open_volume(finding.path, volume=finding.volume), []
    for index, name, found in zip(finding.look_at, finding.look_at_names, finding.top, strict=True):
        written.append(folder / f"volume-{finding.number:04}-{name}.png")
        pixels = volume.slice(finding.plane, index).pixels
        write_heatmap(found, pixels, written[-1], scale=maker.heat_scale)
    return written
