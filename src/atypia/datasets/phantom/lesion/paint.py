"""How lesions look: core, rim, necrosis, cysts, blood and oedema, painted over a healthy image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.datasets.phantom.fields import blend, fractal_field, smooth_field, smoothstep
from atypia.datasets.phantom.lesion.growth import Lesion
from atypia.datasets.phantom.lesion.kinds import PALETTES, Palette
from atypia.datasets.phantom.lesion.tissues import Tissues
from atypia.scan import Image, Mask

CORE, OEDEMA, RIM = 1, 2, 4
"""Labels: dead or non-enhancing core, oedema, enhancing or solid tumour; 0 is healthy."""


@dataclass(frozen=True, eq=False)
class Painted:
    """An image with lesions: `image` float32 (H, W) in the input's units and `labels` uint8 (H, W)."""

    image: Image
    labels: NDArray[np.uint8]


def paint_lesions(
    rng: np.random.Generator, image: Image, tissues: Tissues, lesions: tuple[Lesion, ...], sequence: str
) -> Painted:
    """Paint lesions over an image of any unit, whose tissues already lie where the lesions pushed them."""
    reference = float(np.median(image[tissues.parenchyma]))
    labels = np.zeros(image.shape, np.uint8)
    painted = image / np.float32(reference)
    for lesion in lesions:
        painted = _paint(rng, painted, labels, tissues, lesion, PALETTES[sequence])
    return Painted(np.asarray(painted * np.float32(reference), np.float32), labels)


def _paint(
    rng: np.random.Generator,
    image: Image,
    labels: NDArray[np.uint8],
    tissues: Tissues,
    lesion: Lesion,
    palette: Palette,
) -> Image:
    """Paint one lesion, from the outside in; write its labels."""
    core = _core(lesion, tissues)
    oedema = _oedema(rng, lesion, tissues) * (1 - core)
    image = blend(image, oedema, _vary(rng, palette.oedema) * (1 + 0.04 * smooth_field(rng, image.shape, 12)))
    labels[_without_crumbs(oedema > 0.35, 0.08) & (labels == 0)] = OEDEMA
    if lesion.kind == "meningioma":
        image = _draw_dura(image, lesion, tissues, palette)
    if lesion.ring:
        inside, dead = _ring(rng, lesion, palette)
    else:
        inside, dead = _solid(rng, lesion, palette)
    if lesion.bled:
        clot = smoothstep(_patches(rng, lesion, 0.4), 1.2, 1.7)
        inside = blend(inside, clot, np.float32(palette.blood))
    labels[core > 0.5] = CORE if lesion.kind == "low-grade-glioma" else RIM
    labels[(core > 0.5) & (dead > 0.5)] = CORE
    return blend(image, core, inside)


def _vary(rng: np.random.Generator, signal: float) -> np.float32:
    """Vary a part's signal and how much it stands out from the healthy brain, whose signal is 1."""
    return np.float32(1 + (signal - 1) * rng.uniform(0.65, 1.1))


def _patches(rng: np.random.Generator, lesion: Lesion, share: float, octaves: int = 3) -> Image:
    """Draw patches whose size is a share of the lesion's radius."""
    return fractal_field(rng, lesion.core.shape, max(4, share * lesion.radius), octaves)


def _core(lesion: Lesion, tissues: Tissues) -> Image:
    """Return the share of tumour in each pixel, without crumbs far from its main piece."""
    edge = lesion.edge / lesion.radius
    core = (1 - smoothstep(lesion.core, -edge, edge)) * smoothstep(tissues.brain, 0.3, 0.9)
    whole = core > 0.5
    kept = _without_crumbs(whole, 0.06)
    if np.array_equal(kept, whole):
        return core
    return np.asarray(core * ndimage.gaussian_filter(kept.astype(np.float32), 0.7), np.float32)


def _without_crumbs(mask: Mask, least: float) -> Mask:
    """Drop the pieces that are smaller than a share of the largest."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.isin(pieces, np.flatnonzero(sizes > least * sizes.max()))


def _oedema(rng: np.random.Generator, lesion: Lesion, tissues: Tissues) -> Image:
    """Return the share of swelling: along white matter, little in cortex, none in fluid."""
    if not lesion.swollen:
        return np.zeros_like(tissues.brain)
    swelling = (1 - smoothstep(lesion.oedema, -0.35, 0.35)) * (0.12 + 0.88 * tissues.white)
    swelling = ndimage.gaussian_filter(swelling * (1 - tissues.fluid) * tissues.brain, 0.9)
    return np.asarray(swelling * np.clip(rng.normal(0.85, 0.1), 0.5, 1), np.float32)


def _ring(rng: np.random.Generator, lesion: Lesion, palette: Palette) -> tuple[Image, Image]:
    """Return the signal of a tumour with a dead centre, and where it is dead.

    The rim is of uneven width, brightest near its outside, fades and frays inwards, and is weak in places.
    """
    width = rng.uniform(0.22, 0.45) + 0.18 * _patches(rng, lesion, 0.7) + 0.05 * _patches(rng, lesion, 0.2, 2)
    width = np.maximum(np.clip(width, 0.1, 0.8), 2 / lesion.radius)
    inwards = -lesion.core / width
    dead = smoothstep(inwards, 0.75, 1.35)
    lively = np.clip(0.8 + 0.35 * _patches(rng, lesion, 0.9, 2), 0.15, 1.25) * (
        1 - 0.35 * smoothstep(inwards, 0.3, 1.1)
    )
    grain = _patches(rng, lesion, 0.3)
    rim = _vary(rng, palette.viable)
    rim = rim + (_vary(rng, palette.rim) - rim) * lively * (1 + 0.12 * grain)
    necrosis = _vary(rng, palette.necrosis) * (1 + 0.1 * _patches(rng, lesion, 0.5))
    return blend(rim, dead, necrosis), dead


def _solid(rng: np.random.Generator, lesion: Lesion, palette: Palette) -> tuple[Image, Image]:
    """Return the signal of a tumour without a dead centre, and where it holds a cyst."""
    strength = 0.05 if lesion.kind == "meningioma" else 0.09
    inside = _vary(rng, palette.solid[lesion.kind]) * (1 + strength * _patches(rng, lesion, 0.4))
    if lesion.kind != "low-grade-glioma" or not lesion.cystic:
        return inside, np.zeros_like(lesion.core)
    cyst = smoothstep(_patches(rng, lesion, 0.5, 2), 0.8, 1.3)
    return blend(inside, cyst, np.float32(palette.necrosis)), cyst


def _draw_dura(image: Image, lesion: Lesion, tissues: Tissues, palette: Palette) -> Image:
    """Draw the cleft of fluid around a meningioma, and the tail along the dura that it grows from."""
    outside = lesion.core * lesion.radius
    cleft = 0.55 * np.exp(-(((outside - 1.6) / 1.1) ** 2)) * tissues.brain
    image = blend(image, cleft, np.float32(palette.fluid))
    near = 1 - smoothstep(lesion.core, 0.1, 0.8)
    tail = 0.7 * near * np.exp(-(((tissues.depth - 0.8) / 1.1) ** 2))
    return blend(image, tail, np.float32(palette.solid["meningioma"]))
