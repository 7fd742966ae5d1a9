"""The page of one volume: what was found of it, where, and by which Screener."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib import style

from atypia.atomic import write_whole
from atypia.notice import RESEARCH_USE_ONLY
from atypia.reading.volumes import open_volume
from atypia.report.page import render
from atypia.report.plate import chart
from atypia.report.volume_pictures import colour_stops, projections, scores_along, slices_to_look_at
from atypia.volume_finding import Maker, Point, VolumeFinding, VolumeRegion

LISTED = 15
"""How many regions the page lists; the table `volume_regions` has all."""


@dataclass(frozen=True)
class _Line:
    """One row of the table of regions."""

    region: VolumeRegion
    size: str
    centre: str
    extent: str
    slices: str


def write_volume_page(finding: VolumeFinding, maker: Maker, folder: Path) -> Path:
    """Write `volume-0001.html`, numbered as the volume is, and return its path.

    The page does not name the volume, for its name may name a patient. It holds its pictures and styles
    itself and runs no script. Raises OutputError where it cannot be written, ValueError where no slice of the
    volume was judged.
    """
    if finding.score is None:
        raise ValueError(f"{finding.name}: expected a volume of which a slice was judged")
    volume = open_volume(finding.path, volume=finding.volume)
    with style.context("default"):
        plate = chart(
            "scores",
            "Scores along the volume",
            "Each point is a slice; those above the dashed threshold are flagged. Circles are around the "
            "slices to look at first.",
            f"Scores of {finding.judged} slices, {finding.flagged} of them above the threshold.",
            lambda theme: scores_along(finding, theme),
        )
    path = folder / f"volume-{finding.number:04}.html"
    page = render(
        "volume.html.jinja",
        found=finding,
        maker=maker,
        plate=plate,
        lead=lead(finding),
        slices=list(slices_to_look_at(finding, volume, maker.heat_scale)),
        projections=list(projections(finding, volume, maker.heat_scale)),
        stops=colour_stops(),
        lines=[_line(region) for region in finding.regions[:LISTED]],
        largest=max((region.volume_mm3 for region in finding.regions), default=0.0) / 1000,
        voxel=" × ".join(f"{size:.3g}" for size in volume.spacing),
        grid=" × ".join(map(str, volume.pixels.shape)),
        notice=RESEARCH_USE_ONLY,
    )
    write_whole(path, page)
    return path


def lead(finding: VolumeFinding) -> str:
    """Return in plain words how unusual the volume is, and what that rests on."""
    counts = f"{finding.flagged} of {finding.judged} slices judged score above the threshold."
    if finding.p_value is None or finding.healthy_volumes is None:
        return (
            f"{counts} How unusual that is for a whole volume is not known: the Screener was not fitted with "
            "enough healthy volumes of known patients. Some slices of a healthy volume are flagged too."
        )
    known = finding.healthy_volumes
    as_high = round(finding.p_value * (known + 1)) - 1
    verb = "scores" if as_high == 1 else "score"
    who = f"None of the {known}" if not as_high else f"{as_high} of the {known}"
    return (
        f"{counts} {who} healthy volumes of the calibration "
        f"{verb} as high as it does as a whole: "
        f"p = {finding.p_value:.3g}, where {1 / (known + 1):.3g} is the least that so many can give."
    )


def _line(region: VolumeRegion) -> _Line:
    first, last = region.slices[0], region.slices[-1]
    return _Line(
        region,
        f"{region.volume_mm3:,.0f}",
        place(region.centre),
        " × ".join(f"{side:.0f}" for side in region.extent),
        first if first == last else f"{first} to {last}",
    )


def place(point: Point) -> str:
    """Return a place in mm with the letters of its directions: right or left, front or back, up or down.

    >>> place((-12.4, 30.0, 7.2))
    'L 12, A 30, S 7'
    """
    pairs = zip(point, ("RL", "AP", "SI"), strict=True)
    return ", ".join(f"{letters[value < 0]} {abs(value):.0f}" for value, letters in pairs)
