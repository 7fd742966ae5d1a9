"""The way from a scan's own pixels to the square canvas that detectors see, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

Points = NDArray[np.float64]
Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Geometry:
    """An affine map between the pixels of an input (H, W) and those of a canvas (S, S).

    Coordinates are (row, column), whole numbers at the centres of pixels.
    A canvas place c lies at `matrix @ c + offset` in the input.
    """

    shape: tuple[int, int]
    size: int
    matrix: Matrix
    offset: tuple[float, float]

    @classmethod
    def of_box(
        cls, shape: tuple[int, int], size: int, corner: tuple[float, float], extent: tuple[float, float]
    ) -> Geometry:
        """Return the map whose canvas covers a box; it may reach beyond the input.

        `corner` is the outer corner of the box, (0, 0) being that of the input; `extent` its (height, width).
        """
        rows, columns = extent[0] / size, extent[1] / size
        offset = (corner[0] + (rows - 1) / 2, corner[1] + (columns - 1) / 2)
        return cls(shape, size, ((rows, 0.0), (0.0, columns)), offset)

    def to_pixels(self, points: Points) -> Points:
        """Carry canvas places (..., 2) to the input."""
        return np.asarray(points @ np.array(self.matrix).T + np.array(self.offset))

    def to_canvas(self, points: Points) -> Points:
        """Carry input places (..., 2) to the canvas."""
        return np.asarray((points - np.array(self.offset)) @ np.linalg.inv(np.array(self.matrix)).T)

    def reduced(self, factor: int) -> Geometry:
        """Return the same map for the input reduced by a whole factor, as `PIL.Image.Image.reduce` does."""
        shape = (-(-self.shape[0] // factor), -(-self.shape[1] // factor))
        matrix = np.array(self.matrix) / factor
        offset = (np.array(self.offset) + 0.5) / factor - 0.5
        return Geometry(shape, self.size, _pairs(matrix), (float(offset[0]), float(offset[1])))

    @property
    def inside(self) -> Mask:
        """Tell which canvas pixels (S, S) have their centre in the input."""
        if self._is_upright:
            rows, columns = (self._axis_places(axis) for axis in (0, 1))
            return np.logical_and.outer(_within(rows, self.shape[0]), _within(columns, self.shape[1]))
        places = self.to_pixels(_grid((self.size, self.size)))
        return _within(places[..., 0], self.shape[0]) & _within(places[..., 1], self.shape[1])

    def to_prepared(self, pixels: Image) -> Image:
        """Resample an image (H, W) of the input onto the canvas (S, S), anti-aliased; 0 outside the input."""
        canvas = self._resize(pixels) if self._is_upright else self._warp(pixels)
        canvas[~self.inside] = 0
        return canvas

    def to_input(self, values: Image) -> Image:
        """Interpolate a map (S, S) of the canvas linearly at the input's pixels (H, W); 0 outside the canvas.

        Within half a pixel of the canvas' rim its outermost values are held.
        """
        if self._is_upright:
            return self._interpolate(values)
        inverse = np.linalg.inv(np.array(self.matrix))
        result = ndimage.affine_transform(
            values, inverse, -inverse @ np.array(self.offset), self.shape, np.float32, order=1, mode="nearest"
        )
        places = self.to_canvas(_grid(self.shape))
        result[~(_within(places[..., 0], self.size) & _within(places[..., 1], self.size))] = 0
        return np.asarray(result, np.float32)

    @property
    def _is_upright(self) -> bool:
        (rows, skew), (shear, columns) = self.matrix
        return skew == 0 and shear == 0 and rows > 0 and columns > 0

    def _axis_places(self, axis: int) -> Points:
        return np.arange(self.size, dtype=np.float64) * self.matrix[axis][axis] + self.offset[axis]

    def _resize(self, pixels: Image) -> Image:
        """Resize the canvas pixels that touch the input; the others would cost memory without bound."""
        rows, columns = (self._span(axis) for axis in (0, 1))
        if any((*rows.padding, *columns.padding)):
            pixels = np.pad(pixels, (rows.padding, columns.padding), mode="edge")
        picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32)).resize(
            (columns.stop - columns.start, rows.stop - rows.start),
            PIL.Image.Resampling.BICUBIC,
            box=(columns.low, rows.low, min(columns.high, pixels.shape[1]), min(rows.high, pixels.shape[0])),
        )
        canvas = np.zeros((self.size, self.size), np.float32)
        canvas[rows.start : rows.stop, columns.start : columns.stop] = np.asarray(picture)
        return canvas

    def _span(self, axis: int) -> _Span:
        scale, length = self.matrix[axis][axis], self.shape[axis]
        corner = self.offset[axis] - (scale - 1) / 2
        start = min(max(math.floor(-corner / scale), 0), self.size - 1)
        stop = max(min(math.ceil((length - corner) / scale), self.size), start + 1)
        low, high = corner + start * scale, corner + stop * scale
        before, after = max(math.ceil(-low - 1e-6), 0), max(math.ceil(high - length - 1e-6), 0)
        return _Span(start, stop, max(low + before, 0.0), high + before, (before, after))

    def _warp(self, pixels: Image) -> Image:
        """Resample through a rotation or shear, after a blur that suits the reduction."""
        scale = math.sqrt(abs(float(np.linalg.det(np.array(self.matrix)))))
        if scale > 1:
            pixels = ndimage.gaussian_filter(pixels, 0.5 * math.sqrt(scale**2 - 1))
        canvas = ndimage.affine_transform(
            pixels, self.matrix, self.offset, (self.size, self.size), np.float32, order=1, mode="nearest"
        )
        return np.asarray(canvas, np.float32)

    def _interpolate(self, values: Image) -> Image:
        """Interpolate along one axis after the other, on the pixels inside the canvas alone."""
        rows, columns = self._line(0), self._line(1)
        above, below = values[rows.low], values[rows.low + 1]
        weight = rows.weight[:, None]
        lines = above * (1 - weight) + below * weight
        left, right = lines.take(columns.low, axis=1), lines.take(columns.low + 1, axis=1)
        result = np.zeros(self.shape, np.float32)
        result[rows.where, columns.where] = left * (1 - columns.weight) + right * columns.weight
        return result

    def _line(self, axis: int) -> _Line:
        places = (np.arange(self.shape[axis], dtype=np.float64) - self.offset[axis]) / self.matrix[axis][axis]
        kept = np.flatnonzero(_within(places, self.size))
        start, stop = (int(kept[0]), int(kept[-1]) + 1) if kept.size else (0, 0)
        places = np.clip(places[start:stop], 0, self.size - 1)
        low = np.minimum(places.astype(np.intp), self.size - 2)
        return _Line(slice(start, stop), low, (places - low).astype(np.float32))


@dataclass(frozen=True)
class _Span:
    """Canvas pixels start..stop of one axis, what they cover of the padded input, and that padding."""

    start: int
    stop: int
    low: float
    high: float
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Line:
    """The pixels of one axis inside the canvas, the canvas pixel before each, the weight of the next."""

    where: slice
    low: NDArray[np.intp]
    weight: Image


def _within(places: Points, length: int) -> Mask:
    return np.asarray((places >= -0.5) & (places <= length - 0.5))


def _grid(shape: tuple[int, int]) -> Points:
    return np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in shape), indexing="ij"), axis=-1)


def _pairs(matrix: NDArray[np.float64]) -> Matrix:
    (a, b), (c, d) = matrix.tolist()
    return ((a, b), (c, d))
