"""What lies around the brain: skull, marrow, muscle, fat and skin, drawn from the depth below the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atypia.datasets.phantom.anatomy import SHAPE, Anatomy
from atypia.datasets.phantom.fields import smooth_field, smoothstep
from atypia.scan import Image


@dataclass(frozen=True)
class HeadSignals:
    """The signal of each tissue of the scalp and skull, where the brightest of the brain is about 1."""

    fat: float
    skin: float
    muscle: float
    marrow: float
    bone: float = 0.03


HEAD_SIGNALS = {
    "T1": HeadSignals(fat=1.0, skin=0.5, muscle=0.42, marrow=0.62),
    "T1c": HeadSignals(fat=1.0, skin=0.62, muscle=0.48, marrow=0.66),
    "T2": HeadSignals(fat=0.66, skin=0.36, muscle=0.16, marrow=0.3),
    "FLAIR": HeadSignals(fat=0.85, skin=0.45, muscle=0.28, marrow=0.34),
}


def draw_head(rng: np.random.Generator, anatomy: Anatomy, sequence: str) -> Image:
    """Draw everything outside the skull's inner table, in units of signal; 0 inside it and in the air."""
    tissue = HEAD_SIGNALS[sequence]
    outside = -anatomy.depth
    front, side = _directions(anatomy)
    inner, outer = _skull(rng, outside, front, side)
    muscle_end = outer + _muscle_thickness(rng, anatomy, side)
    scalp = rng.uniform(3, 6.5) * (1 - rng.uniform(0, 0.35) * front) + 0.7 * smooth_field(rng, SHAPE, 40)
    skin_start = muscle_end + np.clip(scalp, 1.5, None)
    skin_end = skin_start + np.float32(rng.uniform(1.2, 2))
    fat = tissue.fat * rng.uniform(0.6, 1.35)

    image = tissue.bone * _between(outside, inner, outer)
    image += tissue.marrow * _marrow(rng, outside, inner, outer)
    image += tissue.muscle * (1 + 0.2 * smooth_field(rng, SHAPE, 4)) * _between(outside, outer + 0.8, muscle_end)
    texture = 1 + 0.12 * smooth_field(rng, SHAPE, 20) + 0.1 * smooth_field(rng, SHAPE, 3)
    image += fat * texture * _between(outside, np.maximum(muscle_end, outer + 0.5), skin_start)
    image += tissue.skin * _between(outside, skin_start, skin_end)
    return np.asarray(np.clip(image, 0, None), np.float32)


def _between(outside: Image, start: Image, end: Image) -> Image:
    """Return 1 between two surfaces and 0 elsewhere, over an edge of about a pixel."""
    return smoothstep(outside - start, -0.6, 0.6) * (1 - smoothstep(outside - end, -0.6, 0.6))


def _directions(anatomy: Anatomy) -> tuple[Image, Image]:
    """Return how much each pixel lies in front (-1 to 1) and to a side (0 to 1) of the head's middle."""
    x, y = anatomy.x, anatomy.y + 17
    radius = np.hypot(x, y) + 1
    return y / radius, np.abs(x) / radius


def _skull(rng: np.random.Generator, outside: Image, front: Image, side: Image) -> tuple[Image, Image]:
    """Return where the bone begins and ends, in mm outside the brain's hull; it is thinnest at the temples."""
    inner = rng.uniform(0.6, 1.6) + 0.4 * smooth_field(rng, SHAPE, 40)
    bone = rng.uniform(5, 8) + 0.9 * smooth_field(rng, SHAPE, 45) - 2.2 * smoothstep(side, 0.75, 1.0)
    bone = bone + rng.uniform(-1, 1) * front
    return inner, inner + np.clip(bone, 2.5, None)


def _marrow(rng: np.random.Generator, outside: Image, inner: Image, outer: Image) -> Image:
    """Return the marrow between the two tables of the skull, patchy, absent where the bone is thin."""
    width = outer - inner
    middle = np.exp(-(((outside - (inner + outer) / 2) / (0.2 * width)) ** 2))
    patches = np.clip(rng.uniform(0.3, 0.8) + 0.35 * smooth_field(rng, SHAPE, 14), 0, 1)
    return middle * patches * smoothstep(width, 3, 5.5)


def _muscle_thickness(rng: np.random.Generator, anatomy: Anatomy, side: Image) -> Image:
    """Return the thickness of the temporal muscle in mm: at the sides, in front of the ear, in lower slices."""
    low = 1 - smoothstep(anatomy.z, 8, 42)
    along = np.exp(-(((anatomy.y - 2) / 30) ** 2))
    return np.float32(rng.uniform(6, 11)) * low * along * smoothstep(side, 0.45, 0.95)
