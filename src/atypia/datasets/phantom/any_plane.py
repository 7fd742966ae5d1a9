"""A slice through the template in any plane, with the rest of the head around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from atypia.datasets.phantom.anatomy import MIDDLE
from atypia.datasets.phantom.fields import fractal_field, smooth_field, smoothstep
from atypia.datasets.phantom.template import Template
from atypia.scan import Image, Mask

SIDE, SPACING = 192, 1.35
"""Rows and columns of such a slice, and millimetres a pixel."""
SHAPE = (SIDE, SIDE)
PLANES = ("axial", "coronal", "sagittal")
SHARES = (0.5, 0.25, 0.25)
WHOLE = -72
"""The lowest slice of the template, in mm above the commissures."""

# Where the middle of a slice lies, and between which places one is cut, in mm of MNI space.
_CENTRE = {"axial": (0.0, MIDDLE), "coronal": (0.0, 0.0), "sagittal": (MIDDLE, 0.0)}
_CUTS = {"axial": (-45.0, 62.0), "coronal": (-80.0, 48.0), "sagittal": (-58.0, 58.0)}
_SCALP = 22.0
OUTSIDE = ("bone", "marrow", "muscle", "fat", "skin", "eye", "air")
"""What lies outside the brain."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A slice through one head, each field float32 (SIDE, SIDE).

    `t1` is the template's T1, `depth` the distance below the inner table of the skull in mm, `across` the
    distance from the middle of the brain in mm. `pairs` is a smooth variation of about -1 to 1 that is the
    same on both sides, as that of nuclei and of the stem; 0 in a sagittal slice, where nothing tells it from
    a lesion. `outside` holds, by name, what share of each pixel a tissue outside the brain has.
    """

    plane: str
    t1: Image
    depth: Image
    across: Image
    pairs: Image
    outside: dict[str, Image]


def cut_any(rng: np.random.Generator, template: Template, plane: str, *, stripped: bool) -> Cut:
    """Cut a random slice in a plane through a randomly shaped head; a `stripped` one has nothing outside."""
    x, y, z = _positions(rng, plane)
    thick = rng.choice([0.0, 1.5, 3.0])
    cuts = [template.sample(*_moved((x, y, z), plane, step)) for step in ({0.0, thick, -thick})]
    t1 = np.asarray(np.mean([signal for signal, _ in cuts], axis=0), np.float32)
    depth = np.asarray(np.mean([deep for _, deep in cuts], axis=0), np.float32)
    depth = np.minimum(depth, z - np.float32(WHOLE + 1))  # below the template there is no brain
    outside = {} if stripped else _outside(rng, x, y, z, depth)
    pairs = np.zeros(SHAPE, np.float32) if plane == "sagittal" else _pairs(rng, np.abs(x), y, z)
    return Cut(plane, t1, depth, np.abs(x), pairs, outside)


def _pairs(rng: np.random.Generator, across: Image, y: Image, z: Image) -> Image:
    """Add up soft balls at random places on both sides, one in three of them in the middle."""
    total = np.zeros(SHAPE, np.float32)
    for _ in range(rng.integers(1, 5)):
        centre = rng.uniform((5, -75, -45), (55, 45, 55)) * ((rng.random() < 0.67), 1, 1)
        radii = rng.uniform(7, 22, 3)
        far = sum(((axis - c) / r) ** 2 for axis, c, r in zip((across, y, z), centre, radii, strict=True))
        total += np.float32(rng.uniform(-1, 1)) * np.exp(-np.asarray(far, np.float32))
    return total


def _positions(rng: np.random.Generator, plane: str) -> tuple[Image, Image, Image]:
    rows, columns = (np.mgrid[:SIDE, :SIDE].astype(np.float32) - np.float32((SIDE - 1) / 2)) * SPACING
    turn = rng.normal() * (0.05 if plane == "axial" else 0.12)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    wide, tall = np.clip(rng.normal(1, 0.06) * rng.normal(1, 0.05, 2), 0.85, 1.1)
    right = (c * columns + s * rows) / np.float32(wide) + _bend(rng)
    up = (s * columns - c * rows) / np.float32(tall) + _bend(rng)
    if rng.random() < 0.5:
        right = -right
    right, up = right + np.float32(_CENTRE[plane][0]), up + np.float32(_CENTRE[plane][1])
    tilt = np.tan(rng.normal(0, 0.09, 2)).astype(np.float32)
    place = np.float32(rng.uniform(*_CUTS[plane])) + tilt[0] * right + tilt[1] * up + _bend(rng)
    return {"axial": (right, up, place), "coronal": (right, place, up), "sagittal": (place, right, up)}[plane]


def _bend(rng: np.random.Generator) -> Image:
    field = rng.uniform(0.5, 3) * smooth_field(rng, SHAPE, 60) + rng.uniform(0, 1.6) * smooth_field(
        rng, SHAPE, 16
    )
    return np.asarray(field, np.float32)


def _moved(place: tuple[Image, Image, Image], plane: str, step: float) -> tuple[Image, Image, Image]:
    across = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    x, y, z = (axis + np.float32(step) if at == across else axis for at, axis in enumerate(place))
    return x, y, z


def _outside(rng: np.random.Generator, x: Image, y: Image, z: Image, depth: Image) -> dict[str, Image]:
    """Return layers over the brain's hull, and below it a face and a neck of no particular anatomy."""
    out = -depth
    inner = np.clip(rng.uniform(-0.5, 2.5) + 0.5 * smooth_field(rng, SHAPE, 30), -0.5, None)
    outer = inner + np.clip(rng.uniform(2.5, 9) + smooth_field(rng, SHAPE, 35), 1.5, None)
    muscle_end = outer + np.clip(rng.uniform(-6, 8) + 3 * smooth_field(rng, SHAPE, 30), 0, None)
    skin_end = np.clip(
        np.maximum(rng.uniform(8, 16), muscle_end + 1.5) + smooth_field(rng, SHAPE, 60), 2, _SCALP
    )
    layers = dict.fromkeys(OUTSIDE, np.zeros(SHAPE, np.float32))
    layers["bone"] = _between(out, inner, outer)
    layers["marrow"] = _between(out, inner + 1.5, outer - 1.5) * np.clip(
        rng.uniform(0, 1) + 0.4 * smooth_field(rng, SHAPE, 12), 0, 1
    )
    layers["muscle"] = _between(out, outer, muscle_end)
    layers["fat"] = _between(out, muscle_end, skin_end - 1.5)
    layers["skin"] = _between(out, skin_end - 1.5, skin_end)
    face = _face(rng, x, y, z) & (out > outer)
    if face.any():
        _fill(rng, layers, face, x, y, z)
    return layers


def _between(place: Image, start: Image, end: Image) -> Image:
    return np.asarray(
        smoothstep(place - start, -0.7, 0.7) * (1 - smoothstep(place - end, -0.7, 0.7)), np.float32
    )


def _face(rng: np.random.Generator, x: Image, y: Image, z: Image) -> Mask:
    """Return where a face or a neck may lie; a slice ends somewhere below the brain, as scans do."""
    ends = rng.uniform(-130, -45)
    wavy = 6 * smooth_field(rng, SHAPE, 40)
    below = z < np.float32(-8) - 0.45 * np.clip(50 - y, 0, None)
    face = np.hypot(x / rng.uniform(60, 74), (y - 12) / rng.uniform(78, 100)) < 1 + wavy / 80
    neck = np.hypot(x / rng.uniform(45, 65), (y + 30) / rng.uniform(45, 60)) < 1 + wavy / 60
    return np.asarray(below & np.where(z < -95, neck, face) & (z > ends), bool)


def _fill(
    rng: np.random.Generator, layers: dict[str, Image], face: Mask, x: Image, y: Image, z: Image
) -> None:
    kinds = ("bone", "muscle", "fat", "air", "muscle")
    scale = rng.uniform(8, 24)
    fields = np.stack([fractal_field(rng, SHAPE, scale, 3) for _ in kinds])
    fields[3] -= rng.uniform(0, 0.8)
    which = fields.argmax(0)
    for name in OUTSIDE:
        here = np.isin(which, [at for at, kind in enumerate(kinds) if kind == name])
        layers[name] = np.asarray(np.where(face, here, layers[name]), np.float32)
    eye = np.sqrt((np.abs(x) - 33) ** 2 + (y - 58) ** 2 + (z + 38) ** 2) < rng.uniform(10, 14)
    for name in OUTSIDE:
        layers[name] = np.asarray(np.where(eye & face, name == "eye", layers[name]), np.float32)
    layers["eye"] = ndimage.gaussian_filter(layers["eye"], 0.6)
