"""From a Scan to what detectors see: head, pose, size and intensity, alike at fit time and at score time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from atypia.errors import BadOption, CorruptArtefact, UnreadableScan
from atypia.preparation.bias_field import bias_field
from atypia.preparation.foreground import Foreground, find_foreground
from atypia.preparation.framing import Aspect, Framing
from atypia.preparation.geometry import Geometry
from atypia.preparation.intensity import (
    background_level,
    full_scale,
    rescale,
    robust_window,
    tissue_window,
)
from atypia.preparation.interior import find_interior, without_rim
from atypia.preparation.pixel_shape import MOST, resized, shape_in_mm
from atypia.preparation.prepared import Prepared
from atypia.scan import LARGEST, Image, Mask, Scan

Intensity = Literal["robust", "tissue", "range"]
Interior = Literal["skull", "rim"]

_MIN_SIDE = 16
_MAX_RATIO = 8
# What Screeners saved before these parameters were known did.
_BEFORE: tuple[dict[str, Any], ...] = (
    {"square_pixels": False},
    {"square_pixels": False, "upright": False, "bias_field": False, "interior": "rim"},
)


@dataclass(frozen=True)
class Preparation:
    """How scans are prepared.

    The canvas is `size` pixels a side. With `crop` it covers the head and `margin` of its extent on each
    side, else the whole scan. `aspect` "keep" pads with 0 to the square, "stretch" stretches to it.
    With `square_pixels`, pixels whose sides differ in mm are taken at their true shape, where it is known,
    so that a head has the same shape however a volume was cut; with "stretch" it makes no difference.
    `upright` turns a cropped head whose mid-line is found for sure until it stands upright, in the middle.
    `intensity` "robust" maps the percentiles `p_low` to `p_high` of the head to [0, 1], so that the result is
    the same after `a * pixels + b`, a > 0; so does "tissue", which maps the background to 0 and the median
    of the interior to 0.25; "range" maps 0 to the full scale of the file's type.
    `bias_field` evens out the slow shading across the head. `interior` "skull" ends the interior in the dark
    ring of the skull where one is seen, "rim" leaves out a rim of one width from every head.
    Raises BadOption for a value that makes no sense.
    """

    size: int = 224
    crop: bool = True
    margin: float = 0.05
    aspect: Aspect = "keep"
    intensity: Intensity = "robust"
    p_low: float = 1.0
    p_high: float = 99.5
    upright: bool = True
    bias_field: bool = False
    interior: Interior = "skull"
    square_pixels: bool = True

    def __post_init__(self) -> None:
        whole = isinstance(self.size, int) and not isinstance(self.size, bool)
        _demand(whole and 32 <= self.size <= 2048, "size", "a whole number from 32 to 2048", self.size)
        for name in ("crop", "upright", "bias_field", "square_pixels"):
            value = getattr(self, name)
            _demand(isinstance(value, bool), name, "true or false", value)
        _demand(_is_number(self.margin, 0, 1), "margin", "a number from 0 to 1", self.margin)
        for name, allowed in (("aspect", Aspect), ("intensity", Intensity), ("interior", Interior)):
            value = getattr(self, name)
            _demand(value in get_args(allowed), name, " or ".join(get_args(allowed)), value)
        ordered = (
            _is_number(self.p_low, 0, 100) and _is_number(self.p_high, 0, 100) and self.p_low < self.p_high
        )
        _demand(
            ordered, "p_low and p_high", "percentiles, 0 <= p_low < p_high <= 100", (self.p_low, self.p_high)
        )

    def __call__(self, scan: Scan) -> Prepared:
        """Prepare a scan; raise UnreadableScan where it is no slice or shows nothing."""
        shape = self._shape(scan)
        pixels = _checked(scan, shape)
        foreground = find_foreground(resized(pixels, shape))
        if foreground is None:
            raise _no_contrast(scan)
        framing = Framing(self.size, self.crop, self.margin, self.aspect, self.upright)
        geometry, upright = framing(shape, foreground)
        mask = _carried(foreground, geometry)
        if shape != pixels.shape:
            geometry = geometry.on_grid((pixels.shape[0], pixels.shape[1]))
        canvas = geometry.to_prepared(pixels)
        window = self._window(pixels, canvas, mask)
        if not window[1] > window[0]:
            raise _no_contrast(scan)
        shown = rescale(canvas, window)
        interior = find_interior(shown, mask) if self.interior == "skull" else without_rim(mask)
        if self.bias_field or self.intensity == "tissue":
            shown = self._evened(pixels, canvas, mask, interior, geometry)
        return Prepared(geometry.cut(shown), mask, interior, geometry, foreground.heads, upright)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Rebuild a Preparation from its parameters; raise CorruptArtefact unless they are exactly those.

        A file saved before some of them were known has none of these, and goes on as it was: not turned, or
        with the pixels taken for square.
        """
        names = {field.name for field in fields(cls)}
        for before in _BEFORE:
            if set(values) == names - set(before):
                values = {**values, **before}
        if set(values) != names:
            raise CorruptArtefact(
                f"preparation: expected the parameters {', '.join(sorted(names))}, "
                f"received {', '.join(sorted(map(str, values)))}. Save the Screener again."
            )
        try:
            return cls(**values)
        except BadOption as error:
            raise CorruptArtefact(f"preparation: {error}") from error

    def _shape(self, scan: Scan) -> tuple[int, int]:
        """Return the shape of the picture with square pixels; raise UnreadableScan where there is none."""
        if np.ndim(scan.pixels) != 2:
            return 0, 0
        shape = (scan.pixels.shape[0], scan.pixels.shape[1])
        if not self.square_pixels:
            return shape
        try:
            return shape_in_mm(shape, scan.spacing)
        except ValueError as error:
            raise UnreadableScan(
                scan.path or scan.name,
                f"pixels whose sides differ by a factor of {MOST:g} at most",
                str(error),
            ) from error

    def _window(self, pixels: Image, canvas: Image, mask: Mask) -> tuple[float, float]:
        """Return the window in which the interior is found; "tissue" has its own once that is done."""
        if not mask.any():
            return 0.0, 0.0
        if self.intensity == "range":
            return full_scale(pixels)
        return robust_window(canvas[mask], self.p_low, self.p_high)

    def _evened(self, pixels: Image, canvas: Image, mask: Mask, interior: Mask, geometry: Geometry) -> Image:
        """Return the canvas in its final window, its shading evened out where that is wanted."""
        background = background_level(
            canvas, mask, geometry.inside, robust_window(canvas[mask], self.p_low, self.p_high)[0]
        )
        if self.bias_field:
            field = bias_field(canvas, interior, background)
            canvas = (canvas - np.float32(background)) / field + np.float32(background)
        if self.intensity == "tissue":
            brightest = robust_window(canvas[mask], self.p_low, self.p_high)[1]
            window = tissue_window(canvas[interior], background, brightest)
        else:
            window = self._window(pixels, canvas, mask)
        return rescale(canvas, window)


def _demand(condition: bool, name: str, expected: str, received: object) -> None:
    if not condition:
        raise BadOption(f"{name}: expected {expected}, received {received!r}.")


def _is_number(value: object, low: float, high: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )


def _checked(scan: Scan, shape: tuple[int, int]) -> Image:
    """Return the pixels of a scan; `shape` is that of its picture with square pixels."""
    pixels = np.asarray(scan.pixels, np.float32)
    who = scan.path or scan.name
    if pixels.ndim != 2 or min(pixels.shape) < _MIN_SIDE:
        raise UnreadableScan(
            who, f"one slice of at least {_MIN_SIDE}x{_MIN_SIDE} pixels", f"pixels of shape {pixels.shape}"
        )
    if max(shape) > _MAX_RATIO * min(shape):
        raise UnreadableScan(
            who, f"sides that differ by a factor of {_MAX_RATIO} at most", f"pixels of shape {pixels.shape}"
        )
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise UnreadableScan(who, "finite pixel values", "NaN or infinite ones")
    if max(-lowest, highest) > LARGEST:
        expected = f"pixel values from -{LARGEST:g} to {LARGEST:g}"
        raise UnreadableScan(who, expected, f"some from {lowest:g} to {highest:g}")
    return pixels


def _no_contrast(scan: Scan) -> UnreadableScan:
    return UnreadableScan(
        scan.path or scan.name,
        "a head that differs from its background",
        "no contrast",
        "The picture is empty or of one grey.",
    )


def _carried(foreground: Foreground, geometry: Geometry) -> Mask:
    """Return the foreground on the canvas."""
    share = geometry.reduced(foreground.factor).to_prepared(foreground.mask.astype(np.float32))
    return np.asarray(share > 0.5)
