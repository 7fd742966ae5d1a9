"""The regions of a map: connected places that stand out, and where they lie in the input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.preparation import Geometry, Prepared
from atypia.scan import Image, Region
from atypia.screener.healthy_depths import HealthyDepths
from atypia.screener.healthy_regions import FALSE_DISCOVERIES, HealthyRegions

_SMALLEST = 1 / 3000


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of what stands out: `labels` (S, S), 0 or the number of one of them.

    `numbers` (M,) are those that are no specks, `masses` (M,) the sums of their excess.
    """

    labels: NDArray[np.int32]
    numbers: NDArray[np.intp]
    masses: NDArray[np.float64]

    @classmethod
    def of(cls, excess: Image) -> Pieces:
        """Find them in an excess (S, S) that is above 0 where something stands out."""
        labels, _ = ndimage.label(excess)
        places = np.flatnonzero(excess)
        owners = labels.ravel()[places]
        areas = np.bincount(owners)
        masses = np.bincount(owners, excess.ravel()[places])
        numbers = np.flatnonzero(areas >= max(2, _SMALLEST * excess.size))
        return cls(labels, numbers, np.asarray(masses[numbers], np.float64))


@dataclass(frozen=True, eq=False)
class Found:
    """The regions of one scan, the most striking first; `labels` (S, S) is k inside the k-th of them."""

    regions: tuple[Region, ...]
    labels: NDArray[np.uint8]

    def to_input(self, geometry: Geometry) -> NDArray[np.uint8]:
        """Return the labels on the pixels of the input (H, W)."""
        return on_input(self.labels, geometry)


def on_input(labels: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """Return the labels (S, S) of regions on the pixels of the input (H, W)."""
    carried = np.zeros(geometry.shape, np.uint8)
    for number in range(int(labels.max(initial=0)), 0, -1):
        carried[geometry.to_input((labels == number).astype(np.float32)) > 0.5] = number
    return carried


def find_regions(
    heat: Image,
    prepared: Prepared,
    depths: HealthyDepths,
    healthy: HealthyRegions,
    spacing: tuple[float, ...] | None = None,
    share: float = FALSE_DISCOVERIES,
) -> Found:
    """Return the regions of a map (S, S) whose p-value is at most `share`, on the pixels of the input.

    `spacing` is the size of an input pixel in mm, (row, column), where known.
    """
    pieces = Pieces.of(depths.excess(heat, prepared.foreground))
    p_values = healthy.p_values(pieces.masses)
    order = [place for place in np.lexsort((-pieces.masses, p_values)) if p_values[place] <= share][:255]
    labels = np.zeros(heat.shape, np.uint8)
    regions = []
    boxes = ndimage.find_objects(pieces.labels) if order else []
    for rank, place in enumerate(order, start=1):
        number = int(pieces.numbers[place])
        window = boxes[number - 1]
        inside = pieces.labels[window] == number
        labels[window][inside] = rank
        corner = (window[0].start, window[1].start)
        regions.append(
            _region(heat[window], inside, corner, float(p_values[place]), prepared.geometry, spacing)
        )
    return Found(tuple(regions), labels)


def _region(
    heat: Image,
    inside: NDArray[np.bool_],
    corner: tuple[int, int],
    p_value: float,
    geometry: Geometry,
    spacing: tuple[float, ...] | None,
) -> Region:
    values, rows_columns = heat[inside], np.argwhere(inside)
    area = len(rows_columns) * abs(float(np.linalg.det(np.array(geometry.matrix))))
    centre = geometry.to_pixels(rows_columns.mean(axis=0) + corner)
    height, width = geometry.shape
    return Region(
        area=max(1, round(area)),
        area_mm2=area * spacing[-2] * spacing[-1] if spacing is not None and len(spacing) >= 2 else None,
        peak=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        p_value=p_value,
        centre=(min(max(float(centre[0]), 0.0), height - 1), min(max(float(centre[1]), 0.0), width - 1)),
        box=_box(inside.shape, corner, geometry),
    )


def _box(extent: tuple[int, ...], corner: tuple[int, int], geometry: Geometry) -> tuple[int, int, int, int]:
    """Return the box in the input around a box of the canvas."""
    top, left = corner
    sides = np.array([[row, column] for row in (top, top + extent[0]) for column in (left, left + extent[1])])
    carried = geometry.to_pixels(sides - 0.5) + 0.5
    low, high = carried.min(axis=0), carried.max(axis=0)
    limits = []
    for axis, length in enumerate(geometry.shape):
        first = min(max(math.floor(low[axis] + 1e-6), 0), length - 1)
        limits.append((first, max(first + 1, min(math.ceil(high[axis] - 1e-6), length))))
    return limits[0][0], limits[1][0], limits[0][1], limits[1][1]
