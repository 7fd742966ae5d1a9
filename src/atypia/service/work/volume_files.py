"""The files that show one judged volume: on its grid, slices, its page, DICOM results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from atypia.errors import UnreadableScan
from atypia.overlay import grey_share
from atypia.reading.volume import Grid, Volume
from atypia.reading.volumes import open_volume
from atypia.screening.results import results_of
from atypia.service.work.picture_files import thumbnail
from atypia.service.work.volume_view import write_view
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.heatmap import write_heatmap
from atypia.writing.nifti import write_nifti

IN_DICOM = ("seg", "sr", "sc")
VIEW = "view"
"""The folder, within a finding's, of what the page shows of a volume."""


def write_volume(
    finding: VolumeFinding, strip: str, maker: Maker, folder: Path, results: Iterable[str]
) -> list[str]:
    """Write what shows a volume of which a slice was judged, and return notes on what could not be written.

    `strip` is how its skull was taken off to judge it. Raises OutputError, OSError, UnreadableScan.
    """
    from atypia.report.volume import write_volume_page  # here, because it draws with matplotlib

    volume = open_volume(finding.path, strip, finding.volume)
    _write_slices(finding, volume, maker, folder)
    write_nifti(_as_stored(volume.pixels), volume.affine, folder / "scan.nii.gz", name="scan")
    if finding.heat is not None and finding.labels is not None:
        window = maker.heat_scale
        write_nifti(finding.heat, volume.affine, folder / "map.nii.gz", name="heat map", window=window)
        write_nifti(finding.labels, volume.affine, folder / "mask.nii.gz", name="regions")
    write_view(volume.pixels, finding.heat, finding.labels, volume.affine, maker.heat_scale, folder / VIEW)
    write_volume_page(finding, maker, folder).rename(folder / "report.html")
    return _write_dicom(finding, maker, folder, [kind for kind in results if kind in IN_DICOM])


def _write_slices(finding: VolumeFinding, volume: Volume, maker: Maker, folder: Path) -> None:
    """Write the slices to look at as pictures, and the first of them small."""
    if finding.plane is None:
        return
    for rank, (index, found) in enumerate(zip(finding.look_at, finding.top, strict=True), start=1):
        pixels = volume.slice(finding.plane, index).pixels
        write_heatmap(found, pixels, folder / f"slice-{rank}.png", scale=maker.heat_scale)
        if rank == 1 and found.heatmap is not None:
            grey = np.asarray(np.rint(255 * grey_share(pixels)), np.uint8)
            small = thumbnail(grey, found.heatmap, maker.heat_scale)
            (folder / "thumbnail.webp").write_bytes(small)


def _as_stored(pixels: Grid) -> Grid:
    """Return the values as whole numbers of 16 bits where that is what they are: they pack to half."""
    low, high = float(pixels.min()), float(pixels.max())
    if low < -32768 or high > 32767:
        return pixels
    whole = pixels.astype(np.int16)
    return whole if np.array_equal(whole, pixels) else pixels  # type: ignore[return-value]


def _write_dicom(finding: VolumeFinding, maker: Maker, folder: Path, kinds: list[str]) -> list[str]:
    notes = []
    for kind, result in results_of(kinds).items():
        if not result.applies(finding):
            continue
        try:
            result.check()
            result.write(finding, maker, folder)
        except UnreadableScan as error:
            notes.append(f"The DICOM result {kind} was not made: expected {error.expected}.")
    return notes
