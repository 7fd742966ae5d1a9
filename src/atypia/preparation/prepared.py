"""A scan on the canvas that detectors see."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.preparation.geometry import Geometry
from atypia.scan import Image, Mask


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared scan: `pixels` float32 (S, S) in [0, 1], and the way back to the scan.

    `foreground` bool (S, S) is the head, `interior` bool (S, S) the part of it within the skull.
    `heads` counts what is as large as the head in the picture that it came from; a montage has several.
    `upright` is the confidence in (0, 1] with which its mid-line was found and set upright, 0 where it was
    left as it lay.
    """

    pixels: Image
    foreground: Mask
    interior: Mask
    geometry: Geometry
    heads: int = 1
    upright: float = 0.0
