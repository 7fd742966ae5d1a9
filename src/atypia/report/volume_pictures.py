"""The pictures of a volume's page: slices to look at, projections of its map, and scores along it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Pictures

from atypia.overlay import HeatScale, grey_share, heat_colours, outlined, overlay
from atypia.reading.volume import PLANES, Volume
from atypia.report.theme import Theme, dress, new_figure
from atypia.scan import Finding, Image
from atypia.volume_finding import VolumeFinding

# What each plane shows on the left of the picture, and on its right.
_HEAD, _MARGIN = 0.05, 0.03
SIDES = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}


@dataclass(frozen=True)
class Shown:
    """A picture in the page: `address` holds it, `shape` is its height and width in mm, `alt` tells of it."""

    address: str
    shape: tuple[float, float]
    sides: tuple[str, str]
    alt: str


@dataclass(frozen=True)
class ShownSlice:
    """A slice to look at: the scan, the map over it, what was said, and the ranks of the regions in it."""

    name: str
    score: float
    p_value: float
    flagged: bool
    scan: Shown
    heat: Shown
    regions: tuple[int, ...]


def slices_to_look_at(finding: VolumeFinding, volume: Volume, scale: HeatScale) -> Iterator[ShownSlice]:
    """Yield the slices with the highest scores, each with its map and its regions outlined."""
    plane = finding.plane or PLANES[0]
    frame = _Frame.of(volume, plane)
    for index, name, found in zip(finding.look_at, finding.look_at_names, finding.top, strict=True):
        pixels = volume.slice(plane, index).pixels
        inside = () if finding.labels is None else np.unique(volume.stacked(finding.labels, plane)[index])
        yield ShownSlice(
            name,
            found.score,
            found.p_value,
            bool(found.flagged),
            frame.shown(_grey(pixels), f"Slice {name}."),
            frame.shown(_over(found, pixels, scale), f"Slice {name} with its map."),
            tuple(int(rank) for rank in inside if rank),
        )


def projections(finding: VolumeFinding, volume: Volume, scale: HeatScale) -> Iterator[tuple[str, Shown]]:
    """Yield, by plane, the map's maximum across it over the mean of the volume, inside the regions alone.

    Outside the regions the maximum of so many slices would be that of noise.
    """
    if finding.heat is None or finding.labels is None:
        return
    heat = np.where(finding.labels > 0, finding.heat, np.float32(scale[0]))
    for plane in PLANES:
        frame = _Frame.of(volume, plane)
        highest = np.asarray(volume.stacked(heat, plane).max(axis=0), np.float32)
        alt = f"The regions of all slices together, seen across the {plane} plane."
        yield plane, frame.shown(overlay(frame.mean, highest, scale), alt)


@dataclass(frozen=True, eq=False)
class _Frame:
    """The part of a plane's pictures that holds the head: `mean` (H, W) is that of all slices."""

    plane: str
    mean: Image
    rows: slice
    columns: slice
    spacing: tuple[float, float]

    @classmethod
    def of(cls, volume: Volume, plane: str) -> _Frame:
        """Find the head in the mean of the slices: where that differs by a twentieth of its range."""
        mean = np.asarray(volume.stacked(volume.pixels, plane).mean(axis=0), np.float32)
        head = grey_share(mean) > _HEAD
        rows, columns = (_reach(np.asarray(head.any(axis=axis))) for axis in (1, 0))
        return cls(plane, mean, rows, columns, volume.spacing_in(plane))

    def shown(self, picture: NDArray[np.uint8], alt: str) -> Shown:
        """Return this part of a picture (H, W) or (H, W, 3)."""
        part = picture[self.rows, self.columns]
        height, width = part.shape[0] * self.spacing[0], part.shape[1] * self.spacing[1]
        return Shown(_png(part), (height, width), SIDES[self.plane], alt)


def _reach(there: NDArray[np.bool_]) -> slice:
    """Return the places from the first true one to the last, with a margin; all where none is."""
    places = np.flatnonzero(there)
    if not places.size:
        return slice(None)
    margin = round(_MARGIN * there.size)
    return slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin)


def scores_along(finding: VolumeFinding, theme: Theme) -> Figure:
    """Draw the scores of the slices along the volume, with the threshold and the slices to look at."""
    figure = new_figure(2.3, width=9.0)
    axes = figure.subplots()
    places = np.array([one.index for one in finding.slice_findings])
    scores = np.array([one.score for one in finding.slice_findings], np.float64)
    flagged = np.array([one.flagged is True for one in finding.slice_findings], bool)
    axes.plot(places, scores, color=theme.normal, linewidth=1.3)
    axes.plot(places[~flagged], scores[~flagged], "o", markersize=3, color=theme.normal)
    axes.plot(places[flagged], scores[flagged], "D", markersize=3.6, color=theme.abnormal)
    axes.axhline(finding.threshold, color=theme.ink, linewidth=1.0, linestyle=(0, (4, 2)))
    for index, found in zip(finding.look_at, finding.top, strict=True):
        axes.plot(index, found.score, "o", markersize=9, markerfacecolor="none", color=theme.ink, mew=1.2)
    dress(axes, theme, xlabel=f"number of the {finding.plane} slice", ylabel="score")
    axes.margins(x=0.02, y=0.12)
    return figure


def colour_stops(count: int = 9) -> list[str]:
    """Return the colours of the map, from as healthy to the brightest, as CSS tells them over black."""
    shares = np.linspace(0, 1, count)
    colours = np.sqrt(shares)[:, None] * heat_colours(shares)
    return [f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in 255 * colours]


def _over(found: Finding, pixels: Image, scale: HeatScale) -> NDArray[np.uint8]:
    if found.heatmap is None:
        return _grey(pixels)
    picture = overlay(pixels, found.heatmap, scale)
    return picture if found.region_map is None else outlined(picture, found.region_map)


def _grey(pixels: Image) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * grey_share(pixels)), np.uint8)


def _png(pixels: NDArray[np.uint8]) -> str:
    file = BytesIO()
    Pictures.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"
