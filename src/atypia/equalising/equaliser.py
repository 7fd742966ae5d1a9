"""One scan brought to the frame, the resolution and the range that all scans of a set get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from atypia.errors import UnreadableScan
from atypia.preparation.foreground import Foreground, find_foreground
from atypia.preparation.framing import Framing
from atypia.preparation.geometry import Geometry
from atypia.preparation.intensity import background_level, full_scale, robust_window
from atypia.scan import Image, Mask, Scan

Around = Literal["blank", "keep"]
Grey = NDArray[np.uint8]

MARGIN = 0.05
"""What the canvas covers beyond the head on each side, as share of its extent: as `Preparation` has it."""
# The seam around the head that is kept, and the width over which it fades, as shares of the side.
_SEAM, _FADE = 0.02, 0.01
_WHITE = 255.0
_EIGHT_BITS = (0.0, 255.0)


@dataclass(frozen=True)
class Equaliser:
    """Brings a head to a square of `side` pixels that shows no more than `resolution` pixels a side did.

    The head is found and cropped as `Preparation` does, not turned, reduced to `resolution` pixels, and
    enlarged from there: both steps are the same for all scans but for the factor of the first. With `around`
    "blank" what lies apart from the head is black, with "keep" it stays as it is.
    """

    side: int
    resolution: int
    around: Around = "blank"

    def picture(self, scan: Scan) -> Grey:
        """Return the head as uint8 (side, side), its background black; raise as `head_extent` does.

        The greys keep the contrast of the file but for one step: the level of the background becomes 0, and
        the full scale of the file's type 255. A file of more than 8 bits, whose scale says little, is shown
        up to the 99.9th percentile of its head.
        """
        geometry, head = _frame(scan, self.resolution)
        small = geometry.to_prepared(scan.pixels)
        share = geometry.reduced(head.factor).to_prepared(head.mask.astype(np.float32))
        black, white = self._range(scan, small, share > 0.5, geometry.inside)
        shown = _enlarged((small - np.float32(black)) * np.float32(_WHITE / (white - black)), self.side)
        if self.around == "blank":
            shown *= self._fade(share, geometry.inside)
        else:
            shown *= _enlarged(geometry.inside.astype(np.float32), self.side) > 0.5
        return np.round(np.clip(shown, 0, _WHITE)).astype(np.uint8)

    def mask(self, scan: Scan, mask: Mask) -> Mask:
        """Return the mask (H, W) of a scan on its canvas, bool (side, side), by the nearest pixel."""
        geometry = _frame(scan, self.side)[0]
        step = np.arange(self.side, dtype=np.float64)
        places = geometry.to_pixels(np.stack(np.meshgrid(step, step, indexing="ij"), axis=-1))
        rows, columns = np.moveaxis(np.floor(places + 0.5).astype(np.intp), -1, 0)
        inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        found = np.zeros((self.side, self.side), bool)
        found[inside] = mask[rows[inside], columns[inside]]
        return found

    def _range(self, scan: Scan, canvas: Image, head: Mask, inside: Mask) -> tuple[float, float]:
        """Return what becomes black and what becomes white."""
        greys = canvas[head & inside]
        if not greys.size:
            return _EIGHT_BITS
        darkest, brightest = robust_window(greys, 1.0, 99.9)
        black = background_level(canvas, head, inside, darkest)
        scale = full_scale(scan.pixels)
        white = scale[1] if scale[1] == _WHITE else brightest
        return (black, white) if white > black else (0.0, max(white, 1.0))

    def _fade(self, share: Image, inside: Mask) -> Image:
        """Return the weight of each pixel, float32 (side, side): 1 in the head, 0 apart from it."""
        reach = max(1, round(_SEAM * self.side))
        head = _enlarged(share, self.side) > 0.5
        grown = ndimage.maximum_filter(head, 2 * reach + 1).astype(np.float32)
        weight = ndimage.gaussian_filter(grown, _FADE * self.side)
        return np.asarray(weight * (_enlarged(inside.astype(np.float32), self.side) > 0.5), np.float32)


def head_extent(scan: Scan) -> float:
    """Return how many pixels of a scan one side of its canvas covers.

    Raises UnreadableScan where no head differs from the background.
    """
    return _frame(scan, 1)[0].matrix[0][0]


def _frame(scan: Scan, size: int) -> tuple[Geometry, Foreground]:
    """Return the way to a canvas of `size` pixels around the head, and the head."""
    head = find_foreground(scan.pixels)
    if head is None:
        raise UnreadableScan(scan.path or scan.name, "a head that differs from its background", "no contrast")
    height, width = scan.pixels.shape
    return Framing(size, True, MARGIN, "keep", False)((height, width), head)[0], head


def _enlarged(canvas: Image, side: int) -> Image:
    picture = PIL.Image.fromarray(np.ascontiguousarray(canvas, np.float32))
    return np.array(picture.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float32)
