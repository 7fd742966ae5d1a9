"""A scan on the canvas that detectors see."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.preparation.geometry import Geometry
from atypia.scan import Image, Mask


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared scan: `pixels` float32 (S, S) in [0, 1], `foreground` bool (S, S), and the way back.

    `heads` counts what is as large as the head in the picture that it came from; a montage has several.
    """

    pixels: Image
    foreground: Mask
    geometry: Geometry
    heads: int = 1
