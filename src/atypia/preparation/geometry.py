"""The way from a scan's own pixels to the square canvas that detectors see, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.scan import Image, Mask

Points = NDArray[np.float64]
Matrix = tuple[tuple[float, float], tuple[float, float]]

# A turn samples a picture so much finer than the canvas: it blurs little then, and passes little noise on.
_FINER = 1.4


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

    @classmethod
    def of_turned_box(
        cls,
        shape: tuple[int, int],
        size: int,
        centre: tuple[float, float],
        extent: tuple[float, float],
        angle: float,
    ) -> Geometry:
        """Return the map whose canvas covers a box turned by `angle` radians about its centre.

        `centre` is a place of the input; the canvas' rows run along (cos, sin) of the angle in the input, so
        that a head whose crown leans to the right by a positive angle comes out upright for minus that angle.
        """
        cosine, sine = math.cos(angle), math.sin(angle)
        rows, columns = extent[0] / size, extent[1] / size
        matrix = np.array([[rows * cosine, -columns * sine], [rows * sine, columns * cosine]])
        offset = np.array(centre) - matrix @ np.full(2, (size - 1) / 2)
        return cls(shape, size, _pairs(matrix), (float(offset[0]), float(offset[1])))

    @property
    def angle(self) -> float:
        """The turn of the canvas in the input, in radians."""
        return math.atan2(self.matrix[1][0], self.matrix[0][0])

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

    def on_grid(self, shape: tuple[int, int]) -> Geometry:
        """Return the same map for the same picture on a grid of another shape (H, W)."""
        factors = np.array(shape) / self.shape
        matrix = np.array(self.matrix) * factors[:, None]
        offset = (np.array(self.offset) + 0.5) * factors - 0.5
        return Geometry(shape, self.size, _pairs(matrix), (float(offset[0]), float(offset[1])))

    @cached_property
    def inside(self) -> Mask:
        """Tell which canvas pixels (S, S) have their centre in the input."""
        if self._is_upright:
            rows, columns = (self._axis_places(axis) for axis in (0, 1))
            return np.logical_and.outer(_within(rows, self.shape[0]), _within(columns, self.shape[1]))
        steps = np.arange(self.size, dtype=np.float64)
        within = np.ones((self.size, self.size), bool)
        for (down, across), start, length in zip(self.matrix, self.offset, self.shape, strict=True):
            rows, columns = steps * down + start, steps * across
            if not _within(np.add.outer(rows[[0, -1]], columns[[0, -1]]), length).all():
                within &= _within(np.add.outer(rows, columns), length)
        return within

    def to_prepared(self, pixels: Image) -> Image:
        """Resample an image (H, W) of the input onto the canvas (S, S), anti-aliased; 0 outside the input."""
        canvas = self._resize(pixels) if self._is_upright else self._warp(pixels)
        return self.cut(canvas)

    def cut(self, canvas: Image) -> Image:
        """Set a canvas (S, S) to 0 outside the input, in place, and return it."""
        if not self.inside.all():
            canvas[~self.inside] = 0
        return canvas

    def to_input(self, values: Image) -> Image:
        """Interpolate a map (S, S) of the canvas linearly at the input's pixels (H, W); 0 outside the canvas.

        Within half a pixel of the canvas' rim its outermost values are held.
        """
        if self._is_upright:
            return self._interpolate(values)
        inverse = np.linalg.inv(np.array(self.matrix))
        return _resampled(_picture(values), inverse, -inverse @ np.array(self.offset), self.shape)

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
        picture = _picture(pixels).resize(
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
        """Resample through a rotation or shear: linearly, from a picture somewhat finer than the canvas."""
        matrix, offset = np.array(self.matrix), np.array(self.offset)
        scales = (np.linalg.norm(matrix, axis=1) / _FINER).tolist()
        window = [self._reach(axis, 3 * math.ceil(max(scales[axis], 1))) for axis in (0, 1)]
        part = pixels[window[0], window[1]]
        height, width = (max(1, round(side / scale)) for side, scale in zip(part.shape, scales, strict=True))
        factors = np.array(part.shape) / (height, width)
        finer = _picture(part).resize((width, height), PIL.Image.Resampling.BICUBIC)
        offset = (offset - [side.start for side in window] + 0.5) / factors - 0.5
        return _resampled(finer, matrix / factors[:, None], offset, (self.size, self.size))

    def _reach(self, axis: int, margin: int) -> slice:
        """Return the pixels of an axis of the input that the canvas covers, and some around."""
        rim = np.array([-0.5, self.size - 0.5])
        places = np.add.outer(rim * self.matrix[axis][0], rim * self.matrix[axis][1]) + self.offset[axis]
        length = self.shape[axis]
        start = min(max(math.floor(places.min()) - margin, 0), length - 1)
        return slice(start, min(max(math.ceil(places.max()) + margin, start + 1), length))

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


def _picture(values: Image) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.ascontiguousarray(values, np.float32))


def _resampled(picture: PIL.Image.Image, matrix: Points, offset: Points, shape: tuple[int, int]) -> Image:
    """Return the image (shape) whose place p shows the picture at `matrix @ p + offset`; 0 beyond it."""
    row, column = offset + 0.5 - matrix @ np.full(2, 0.5)
    (down, across), (right, along) = matrix.tolist()
    turned = picture.transform(
        (shape[1], shape[0]),
        PIL.Image.Transform.AFFINE,
        (along, right, float(column), across, down, float(row)),
        PIL.Image.Resampling.BILINEAR,
    )
    return np.array(turned, np.float32)


def _pairs(matrix: NDArray[np.float64]) -> Matrix:
    (a, b), (c, d) = matrix.tolist()
    return ((a, b), (c, d))
