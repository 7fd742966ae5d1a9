"""Which part of a scan the canvas covers, and how it is turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from atypia.preparation.foreground import Foreground
from atypia.preparation.geometry import Geometry
from atypia.preparation.midline import Midline, find_midline, upright_box

Aspect = Literal["keep", "stretch"]

# Of 60 scans a kind of three public sets, none of them a test scan, all sagittal ones lie below this
# confidence, and 92 to 100 in 100 of the axial and coronal ones above.
_SURE = 0.55


@dataclass(frozen=True)
class Framing:
    """The part of `Preparation` that chooses the canvas; see there."""

    size: int
    crop: bool
    margin: float
    aspect: Aspect
    upright: bool

    def __call__(self, shape: tuple[int, int], foreground: Foreground) -> tuple[Geometry, float]:
        """Return the way to the canvas, and how sure the mid-line is that it was set upright by, or 0."""
        midline = self._midline(foreground)
        if midline is None:
            return self._as_it_lies(shape, foreground), 0.0
        centre, extent = upright_box(foreground, midline)
        extent = self._grown(extent)
        turned = Geometry.of_turned_box(shape, self.size, centre, extent, midline.angle)
        return turned, midline.confidence

    def _midline(self, foreground: Foreground) -> Midline | None:
        """Return the mid-line where it is wanted and sure; a montage has none."""
        if not (self.upright and self.crop and foreground.heads == 1):
            return None
        midline = find_midline(foreground)
        return midline if midline.confidence >= _SURE else None

    def _as_it_lies(self, shape: tuple[int, int], foreground: Foreground) -> Geometry:
        height, width = shape
        top, left, bottom, right = foreground.box if self.crop else (0, 0, height, width)
        bottom, right = min(bottom, height), min(right, width)
        extent = self._grown((bottom - top, right - left))
        corner = ((top + bottom - extent[0]) / 2, (left + right - extent[1]) / 2)
        return Geometry.of_box(shape, self.size, corner, extent)

    def _grown(self, extent: tuple[float, float]) -> tuple[float, float]:
        """Return the extent of the canvas for that of the head."""
        grown = 1 + 2 * self.margin if self.crop else 1.0
        rows, columns = extent[0] * grown, extent[1] * grown
        return (max(rows, columns),) * 2 if self.aspect == "keep" else (rows, columns)
