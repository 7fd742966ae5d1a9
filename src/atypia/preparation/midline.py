"""Finding the mid-line of a head: the line about which a slice resembles its own mirror image most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, sparse

from atypia.preparation.foreground import Foreground
from atypia.preparation.geometry import Geometry
from atypia.preparation.intensity import rescale, robust_window
from atypia.scan import Image

# The mirror is sought on a picture of this side, at these turns in degrees.
_SIDE = 48
_WIDEST, _STEP = 27.0, 3.0
# The picture reaches so much farther than the head; its coarse shading goes, in units of its pixels.
_REACH = 1.15
_SHADING, _NOISE = 4.0, 0.5
# One pixel in so many tells the range of the intensities.
_EVERY = 3
# A mid-line farther than this from the middle of the head, as a share of the picture, is none.
_ASTRAY = 0.12


@dataclass(frozen=True)
class Midline:
    """A line through `place` (row, column) of a scan, leaning by `angle` radians.

    Upwards it runs along (-cos, -sin) of the angle in (row, column). `confidence` in [0, 1] is the
    correlation of the head with its mirror image about it: 0.7 to 0.95 for most axial and coronal slices, 0.3
    to 0.5 for sagittal ones, 0 where the best turn is out of reach.
    """

    angle: float
    place: tuple[float, float]
    confidence: float


def find_midline(foreground: Foreground) -> Midline:
    """Find the mid-line of a head that leans by 25 degrees at most.

    The picture is turned step by step, and each turn is correlated with its mirror image at all shifts at
    once: the convolution of each row with itself, summed over the rows. So Liu, Collins and Rothfus, "Robust
    midsagittal plane extraction from normal and pathological 3-D neuroradiology images", IEEE TMI 20(3)
    (2001), do it slice by slice; and Ardekani, Kershaw, Braun and Kanno, IEEE TMI 16(6) (1997), in space.
    What is correlated is the detail inside the head without its coarse shading, because the outline of a
    sagittal slice resembles its mirror image as well.
    """
    geometry = _picture_geometry(foreground)
    detail = _detail(foreground, geometry)
    turned = (_turns() @ detail.ravel()).reshape(-1, _SIDE, _SIDE)
    spectra = fft.rfft(turned, 2 * _SIDE, axis=2, workers=1)
    mirrored = fft.irfft((spectra * spectra).sum(axis=1), 2 * _SIDE, axis=1, workers=1)
    energies = (turned * turned).sum(axis=(1, 2))
    likeness = mirrored.max(axis=1) / np.maximum(energies, np.float32(1e-9))
    best = int(likeness.argmax())
    centre = np.full(2, (_SIDE - 1) / 2)
    shift = _peak(mirrored[best], int(mirrored[best].argmax())) / 2 - centre[1]
    if best in (0, len(likeness) - 1) or abs(shift) > _ASTRAY * _SIDE:
        return Midline(0.0, _place(geometry, centre, foreground.factor), 0.0)
    angle = math.radians((_peak(likeness, best) - (len(likeness) - 1) / 2) * _STEP)
    place = centre + shift * np.array([-math.sin(angle), math.cos(angle)])
    confidence = min(max(float(likeness[best]), 0.0), 1.0)
    return Midline(angle, _place(geometry, place, foreground.factor), confidence)


def upright_box(foreground: Foreground, midline: Midline) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the centre (row, column) and the extent (height, width) of the head's box along its mid-line.

    The box reaches as far to one side of the mid-line as to the other; both in pixels of the scan.
    """
    mask, factor = foreground.mask, foreground.factor
    rows = np.flatnonzero(mask.any(axis=1))
    ends = np.concatenate([mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)])
    rim = (np.stack([np.tile(rows, 2), ends], axis=1) + 0.5) * factor - 0.5
    cosine, sine = math.cos(midline.angle), math.sin(midline.angle)
    along = np.array([cosine, sine]), np.array([-sine, cosine])
    down, across = ((rim - midline.place) @ axis for axis in along)
    centre = np.array(midline.place) + (down.max() + down.min()) / 2 * along[0]
    extent = (float(np.ptp(down)) + factor, 2 * float(np.abs(across).max()) + factor)
    return (float(centre[0]), float(centre[1])), extent


def _picture_geometry(foreground: Foreground) -> Geometry:
    top, left, bottom, right = (side / foreground.factor for side in foreground.box)
    extent = _REACH * max(bottom - top, right - left)
    corner = ((top + bottom - extent) / 2, (left + right - extent) / 2)
    height, width = foreground.mask.shape
    return Geometry.of_box((height, width), _SIDE, corner, (extent, extent))


def _detail(foreground: Foreground, geometry: Geometry) -> Image:
    """Return what remains of the head (SIDE, SIDE) without shading, bounded, 0 outside of it."""
    mask = foreground.mask.astype(np.float32)
    low, high = robust_window(foreground.picture[foreground.mask][::_EVERY], 2, 98)
    if not high > low:
        return np.zeros((_SIDE, _SIDE), np.float32)
    head = geometry.to_prepared(mask)
    bounded = geometry.to_prepared(rescale(foreground.picture, (low, high)) * mask)
    shading = ndimage.gaussian_filter(bounded, _SHADING) / np.maximum(
        ndimage.gaussian_filter(head, _SHADING), np.float32(0.05)
    )
    detail = (ndimage.gaussian_filter(bounded, _NOISE) - shading) * head
    return np.asarray(detail, np.float32)


def _peak(values: NDArray[np.float32], place: int) -> float:
    """Return where the parabola through a maximum and its two neighbours is highest; Press et al., 10.2."""
    if not 0 < place < len(values) - 1:
        return float(place)
    before, at, after = (float(values[place + step]) for step in (-1, 0, 1))
    bend = before - 2 * at + after
    return place + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def _place(geometry: Geometry, place: NDArray[np.float64], factor: int) -> tuple[float, float]:
    row, column = (geometry.to_pixels(place) + 0.5) * factor - 0.5
    return float(row), float(column)


@cache
def _turns() -> sparse.csr_array:
    """Return the matrix that turns a picture by every angle at once, linearly interpolated."""
    middle = (_SIDE - 1) / 2
    rows, columns = np.mgrid[:_SIDE, :_SIDE] - middle
    blocks = []
    for angle in np.deg2rad(np.arange(-_WIDEST, _WIDEST + _STEP / 2, _STEP)):
        down = (math.cos(angle) * rows - math.sin(angle) * columns + middle).ravel()
        across = (math.sin(angle) * rows + math.cos(angle) * columns + middle).ravel()
        blocks.append(_linear(down, across))
    return sparse.csr_array(sparse.vstack(blocks))


def _linear(down: NDArray[np.float64], across: NDArray[np.float64]) -> sparse.csr_array:
    """Return the matrix that reads a picture linearly at these places, 0 beyond it."""
    above, before = np.floor(down).astype(np.intp), np.floor(across).astype(np.intp)
    below, behind = down - above, across - before
    weights, sources = [], []
    for row, by_row in ((above, 1 - below), (above + 1, below)):
        for column, by_column in ((before, 1 - behind), (before + 1, behind)):
            inside = (row >= 0) & (row < _SIDE) & (column >= 0) & (column < _SIDE)
            weights.append(np.where(inside, by_row * by_column, 0))
            sources.append(np.where(inside, row * _SIDE + column, 0))
    targets = np.tile(np.arange(down.size), 4)
    values = np.concatenate(weights).astype(np.float32)
    return sparse.csr_array(
        (values, (targets, np.concatenate(sources))), shape=(down.size, _SIDE * _SIDE), dtype=np.float32
    )
