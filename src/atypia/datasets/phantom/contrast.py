"""From anatomy to signal: how a brain looks in T1, contrast-enhanced T1, T2 and FLAIR.

Signals have no unit: the brightest healthy tissue of the brain is about 1, air is 0.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from atypia.datasets.phantom.anatomy import MIDDLE, SHAPE, Anatomy
from atypia.datasets.phantom.fields import blend, fractal_field, smooth_field, smoothstep
from atypia.datasets.phantom.lesion import Tissues
from atypia.scan import Image

Curve = tuple[list[float], list[float]]
"""Normalised T1 values, ascending, and the signal of each."""

SEQUENCES = ("T1", "T1c", "T2", "FLAIR")


def tissues_of(anatomy: Anatomy) -> Tissues:
    """Tell brain, white matter and fluid apart, each in [0, 1]."""
    t1 = anatomy.t1
    within = smoothstep(anatomy.depth, -0.8, 0.8)
    return Tissues(
        brain=within,
        white=within * smoothstep(t1, 0.62, 0.86),
        fluid=within * (1 - smoothstep(t1, 0.28, 0.46)),
        depth=anatomy.depth,
        side=anatomy.x,
    )


def brain_signal(
    rng: np.random.Generator, anatomy: Anatomy, tissues: Tissues, sequence: str, age: float
) -> Image:
    """Return the signal of everything inside the skull, 0 outside, float32 (224, 224)."""
    values, signals = _draw_curve(rng, sequence)
    layers = [np.interp(layer, values, signals) for layer in anatomy.layers]
    solid = tissues.brain - tissues.fluid
    texture = 0.018 * smooth_field(rng, SHAPE, 18) + 0.014 * smooth_field(rng, SHAPE, 5)
    image = np.mean(layers, axis=0, dtype=np.float32) * (1 + solid * texture)
    image = _darken_iron(rng, image, anatomy, sequence, age)
    image = _draw_choroid_plexus(rng, image, anatomy, tissues, sequence)
    image = _draw_vessels(rng, image, anatomy, tissues, sequence)
    if sequence in ("T2", "FLAIR") and age > 0.5:
        image = _draw_caps(image, anatomy, tissues, age)
    return np.asarray(image * tissues.brain, np.float32)


def _draw_curve(rng: np.random.Generator, sequence: str) -> Curve:
    """Draw the signal as a function of the normalised T1; scanners differ, so no two curves are the same."""

    def about(value: float, spread: float = 0.03) -> float:
        return value + float(rng.normal(0, spread))

    if sequence in ("T1", "T1c"):
        spin_echo = rng.random() < (0.35 if sequence == "T1" else 0.55)  # less contrast than a gradient echo
        grey, white, fluid = (
            (about(0.6, 0.02), about(0.68, 0.02), about(0.27))
            if spin_echo
            else (about(0.58, 0.035), about(0.8, 0.025), about(0.17))
        )
        return [0, 0.25, 0.6, 0.9, 1.3], [0.02, fluid, grey, white, white + 0.12]
    if sequence == "T2":
        grey, fluid = about(0.5), about(0.93)
        white = grey - float(rng.uniform(0.09, 0.2))
        return [0, 0.1, 0.2, 0.32, 0.45, 0.6, 0.9, 1.25], [
            0.9,
            0.95,
            fluid,
            0.74,
            grey + 0.05,
            grey,
            white,
            white - 0.06,
        ]
    grey, fluid = about(0.535, 0.02), about(0.1, 0.02)
    white = grey - float(rng.uniform(0.05, 0.13))
    return [0, 0.12, 0.22, 0.36, 0.5, 0.62, 0.9, 1.25], [
        0.05,
        0.06,
        fluid,
        0.36,
        grey - 0.01,
        grey,
        white,
        white - 0.05,
    ]


def _blob(anatomy: Anatomy, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Image:
    """Return a soft ellipsoid on both sides of the brain, in mm, wider apart at its back."""
    x, y, z = np.abs(anatomy.x) - centre[0], anatomy.y - centre[1], anatomy.z - centre[2]
    lean = np.float32(0.45)
    distance = ((x + lean * y) / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2
    return 1 - smoothstep(distance, 0.5, 1.3)


def _darken_iron(
    rng: np.random.Generator, image: Image, anatomy: Anatomy, sequence: str, age: float
) -> Image:
    """Darken the pallidum, whose iron shortens T2."""
    strength = {"T2": 0.3, "FLAIR": 0.14}.get(sequence, 0.0) * (0.7 + 0.4 * age) * rng.uniform(0.6, 1.2)
    if not strength:
        return image
    pallidum = _blob(anatomy, (20, -6, 0), (4.5, 10, 8))
    return image * (1 - np.float32(strength) * pallidum)


def _draw_choroid_plexus(
    rng: np.random.Generator, image: Image, anatomy: Anatomy, tissues: Tissues, sequence: str
) -> Image:
    """Put the choroid plexus into the trigone of the lateral ventricles; it takes up contrast medium."""
    signal = {"T1": 0.42, "T1c": 0.95, "T2": 0.62, "FLAIR": 0.48}[sequence]
    place = _blob(anatomy, (23, -40, 12), (4, 8, 12)) * tissues.fluid
    grain = smoothstep(fractal_field(rng, SHAPE, 6, 2), -0.6, 0.8)
    share = np.float32(rng.uniform(0.4, 0.9)) * place * grain
    return blend(image, share, np.float32(signal))


def _draw_vessels(
    rng: np.random.Generator, image: Image, anatomy: Anatomy, tissues: Tissues, sequence: str
) -> Image:
    """Draw falx, sagittal sinus and vessels: bright with contrast medium, dark where blood flows."""
    signal = {"T1": 0.3, "T1c": 0.95, "T2": 0.1, "FLAIR": 0.08}[sequence]
    depth, across = anatomy.depth, np.abs(anatomy.x)
    dots = smoothstep(fractal_field(rng, SHAPE, 6, 3), 1.3, 2.1) * tissues.fluid * smoothstep(depth, 34, 26)
    falx = smoothstep(across, 1.4, 0.3) * tissues.fluid * smoothstep(depth, 26, 18)
    width = np.float32(rng.uniform(2.5, 4.5)) * np.clip(1 - depth / np.float32(rng.uniform(6, 10)), 0, None)
    sinus = (
        smoothstep(across - width, 0.7, -0.7)
        * smoothstep(depth, -1.5, 0)
        * smoothstep(np.abs(anatomy.y - MIDDLE), 50, 70)
    )
    dura = np.exp(-(((depth - 0.3) / 1.1) ** 2)) * (0.25 if sequence == "T1c" else 0.0)
    strength = {"T1": 0.3, "T1c": 0.75, "T2": 0.7, "FLAIR": 0.3}[sequence]
    share = np.clip(strength * (dots + 0.6 * falx) + 0.9 * sinus + dura, 0, 0.95).astype(np.float32)
    return blend(image, share, np.float32(signal))


def _draw_caps(image: Image, anatomy: Anatomy, tissues: Tissues, age: float) -> Image:
    """Brighten the white matter that caps the ventricles, as in most people beyond sixty."""
    ventricle = tissues.fluid * (anatomy.depth > 22)
    near = smoothstep(ndimage.gaussian_filter(ventricle, 3.0), 0.08, 0.4)
    return image * (1 + np.float32(0.35 * (age - 0.4)) * tissues.white * near)
