"""What lies around the brain: skull, marrow, muscle, fat and skin, drawn from the depth below the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from atypia.datasets.phantom.anatomy import MIDDLE, SHAPE, Anatomy
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

_OUTERMOST = 22.0  # mm outside the hull: the template's depth ends at 24


def draw_head(rng: np.random.Generator, anatomy: Anatomy, sequence: str) -> Image:
    """Draw everything outside the skull's inner table, in units of signal; 0 inside it and in the air."""
    tissue = HEAD_SIGNALS[sequence]
    outside = -anatomy.depth
    front, side = _directions(anatomy)
    inner, outer = _skull(rng, front, side)
    muscle_end = outer + _muscle_thickness(rng, anatomy, side)
    # The skin is the smoothest of all surfaces: fat fills what bone and muscle leave.
    scalp = rng.uniform(10, 15) - rng.uniform(-1, 2.5) * front + 0.6 * smooth_field(rng, SHAPE, 80)
    skin_end = np.clip(np.maximum(scalp, muscle_end + 2.5), None, _OUTERMOST)
    skin_start = skin_end - np.float32(rng.uniform(1.2, 2))
    rounded = np.maximum(ndimage.uniform_filter(ndimage.uniform_filter(outside, 15), 15), outside - 1.5)
    fat = tissue.fat * rng.uniform(0.6, 1.35)

    image = tissue.bone * _between(outside, inner, outer)
    image += tissue.marrow * _marrow(rng, outside, inner, outer)
    image += (
        tissue.muscle * (1 + 0.2 * smooth_field(rng, SHAPE, 4)) * _between(outside, outer + 0.6, muscle_end)
    )
    texture = 1 + 0.12 * smooth_field(rng, SHAPE, 20) + 0.1 * smooth_field(rng, SHAPE, 3)
    fat_share = smoothstep(outside - np.maximum(muscle_end, outer + 0.5), -0.6, 0.6)
    image += fat * texture * fat_share * (1 - smoothstep(rounded - skin_start, -0.6, 0.6))
    image += tissue.skin * _between(rounded, skin_start, skin_end) * fat_share
    return np.asarray(np.clip(image, 0, None), np.float32)


def _between(outside: Image, start: Image, end: Image) -> Image:
    """Return 1 between two surfaces and 0 elsewhere, over an edge of about a pixel."""
    return smoothstep(outside - start, -0.6, 0.6) * (1 - smoothstep(outside - end, -0.6, 0.6))


def _directions(anatomy: Anatomy) -> tuple[Image, Image]:
    """Return how much each pixel lies in front (-1 to 1) and to a side (0 to 1) of the head's middle."""
    x, y = anatomy.x, anatomy.y - MIDDLE
    radius = np.hypot(x, y) + 1
    return y / radius, np.abs(x) / radius


def _skull(rng: np.random.Generator, front: Image, side: Image) -> tuple[Image, Image]:
    """Return where the bone begins and ends, in mm outside the hull; it is thinnest at the temples."""
    inner = np.clip(rng.uniform(0, 0.8) + 0.3 * smooth_field(rng, SHAPE, 40), 0, None)
    bone = rng.uniform(4, 7) + 0.6 * smooth_field(rng, SHAPE, 45) - 1.8 * smoothstep(side, 0.75, 1.0)
    return inner, inner + np.clip(bone + rng.uniform(-1, 1) * front, 2.2, None)


def _marrow(rng: np.random.Generator, outside: Image, inner: Image, outer: Image) -> Image:
    """Return the marrow between the two tables of the skull, patchy, absent where the bone is thin."""
    table = np.float32(rng.uniform(1.1, 1.6))
    patches = np.clip(rng.uniform(0.4, 1.0) + 0.3 * smooth_field(rng, SHAPE, 14), 0, 1.2)
    thick = smoothstep(outer - inner, 2.5, 4.5)
    return np.asarray(_between(outside, inner + table, outer - table) * patches * thick, np.float32)


def _muscle_thickness(rng: np.random.Generator, anatomy: Anatomy, side: Image) -> Image:
    """Return the temporal muscle's thickness in mm: at the sides, before the ear, in lower slices."""
    low = 1 - smoothstep(anatomy.z, 8, 42)
    along = np.exp(-(((anatomy.y - 2) / 30) ** 2))
    return np.float32(rng.uniform(4, 9)) * low * along * smoothstep(side, 0.45, 0.95)
