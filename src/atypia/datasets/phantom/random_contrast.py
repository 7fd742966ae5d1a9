"""Slices whose contrast, head, sharpness and noise are drawn far beyond what scanners give.

A network that has seen all of these has no use for any one of them, and takes a real scan for one more:
Billot et al., "SynthSeg: segmentation of brain MRI scans of any contrast and resolution without
retraining", Medical Image Analysis 86 (2023) 102789, section 3.2, whose generator draws a Gaussian for each
label; ours draws a curve of the template's T1, so that the borders between tissues stay soft.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.datasets.phantom.any_plane import PLANES, SHAPE, SHARES, WHOLE, Cut, cut_any
from atypia.datasets.phantom.fields import blend, fractal_field, smooth_field, smoothstep
from atypia.datasets.phantom.template import load_template
from atypia.errors import BadOption
from atypia.scan import Image

# Signals of fluid, grey and white matter as the usual sequences have them, from and to.
USUAL = (
    ((0.1, 0.35), (0.45, 0.7), (0.7, 0.95)),  # T1
    ((0.1, 0.35), (0.5, 0.7), (0.6, 0.8)),  # T1 with little contrast
    ((0.8, 1.0), (0.45, 0.65), (0.25, 0.5)),  # T2
    ((0.02, 0.25), (0.5, 0.7), (0.4, 0.62)),  # FLAIR
    ((0.5, 0.9), (0.6, 0.8), (0.5, 0.75)),  # proton density
)
USUAL_SHARE, STRIPPED_SHARE = 0.5, 0.25
_LEVELS = (0.0, 0.12, 0.25, 0.42, 0.6, 0.75, 0.9, 1.3)


@dataclass(frozen=True, eq=False)
class RandomSlice:
    """A healthy slice of a head in a contrast that need not exist.

    `pixels` is uint8 (192, 192), 1.35 mm a pixel; `depth` float32 of that shape is the distance below the
    inner table of the skull in mm, negative outside. `plane` is axial, coronal or sagittal.
    """

    pixels: NDArray[np.uint8]
    depth: Image
    plane: str


def random_slice(seed: int, plane: str | None = None) -> RandomSlice:
    """Render one such slice; the same seed gives the same, bit for bit.

    Raises BadOption for an unknown plane or a negative seed, and MissingExtra without nilearn.
    """
    if seed < 0 or plane not in (None, *PLANES):
        raise BadOption(
            f"Expected a seed of 0 or more and a plane out of {', '.join(PLANES)}; received {seed}, {plane}."
        )
    rng = np.random.default_rng((seed, 23))
    drawn = str(rng.choice(PLANES, p=SHARES))
    cut = cut_any(rng, load_template(WHOLE), plane or drawn, stripped=bool(rng.random() < STRIPPED_SHARE))
    brain = smoothstep(cut.depth, -0.8, 0.8)
    signal = _inside(rng, cut) * brain
    if cut.outside:
        signal = signal + (1 - brain) * _around(rng, cut)
    return RandomSlice(_printed(rng, _acquired(rng, signal)), cut.depth, cut.plane)


def _inside(rng: np.random.Generator, cut: Cut) -> Image:
    """Return the signal of all within the skull."""
    t1 = cut.t1
    fluid, white = 1 - smoothstep(t1, 0.28, 0.46), smoothstep(t1, 0.62, 0.86)
    image = np.interp(t1, _LEVELS, _curve(rng)).astype(np.float32)
    coarse, fine = rng.uniform(0, 0.07, 2)
    texture = coarse * smooth_field(rng, SHAPE, rng.uniform(10, 40)) + fine * smooth_field(rng, SHAPE, 4)
    image = image * (1 + texture * (1 - 0.7 * fluid))
    image = image * (1 + np.float32(rng.uniform(0, 0.35)) * cut.pairs * (1 - fluid))
    if rng.random() < 0.35:  # the white matter around the ventricles, as in the old
        ventricles = ndimage.gaussian_filter(fluid * (cut.depth > 20), 2.2)
        image = image * (1 + np.float32(rng.uniform(-0.15, 0.45)) * white * smoothstep(ventricles, 0.08, 0.4))
    spots = fluid * smoothstep(fractal_field(rng, SHAPE, rng.uniform(4, 9), 3), 1.0, 1.9)
    image = blend(image, np.float32(rng.uniform(0, 0.9)) * spots, np.float32(rng.uniform(0, 1.3)))
    middle = smoothstep(cut.across, 2.2, 0.4) * smoothstep(cut.depth, 34, 20) * fluid
    image = blend(image, np.float32(rng.uniform(0, 0.9)) * middle, np.float32(rng.uniform(0, 1.2)))
    sinus = smoothstep(cut.across, rng.uniform(3, 7), 1) * smoothstep(cut.depth, rng.uniform(4, 10), 1)
    image = blend(image, np.float32(max(0, rng.uniform(-0.6, 0.9))) * sinus, np.float32(rng.uniform(0, 1.5)))
    lining = np.exp(-((cut.depth / np.float32(rng.uniform(0.8, 2))) ** 2))
    return blend(image, np.float32(max(0, rng.uniform(-0.5, 0.8))) * lining, np.float32(rng.uniform(0, 1.3)))


def _curve(rng: np.random.Generator) -> list[float]:
    """Draw the signal at each of `_LEVELS` of the template's T1."""
    if rng.random() < USUAL_SHARE:
        ranges = USUAL[rng.integers(len(USUAL))]
        fluid, grey, white = (float(rng.uniform(*limits)) for limits in ranges)
    else:
        fluid, grey, white = map(float, rng.uniform(0.05, 1, 3))
        if abs(grey - white) > 0.5:  # a real one tells them apart less
            white = grey + 0.5 * (white - grey)
    between = rng.normal(0, 0.03, 5)
    return [
        fluid + between[0],
        fluid + between[1],
        fluid,
        (fluid + grey) / 2 + between[2],
        grey,
        (grey + white) / 2 + between[3],
        white,
        white + between[4],
    ]


def _around(rng: np.random.Generator, cut: Cut) -> Image:
    """Return the signal of all outside the skull."""
    signals = {
        "bone": rng.uniform(0, 0.25) if rng.random() < 0.93 else rng.uniform(1, 2.5),
        "marrow": rng.uniform(0.1, 1.2),
        "muscle": rng.uniform(0.1, 0.9),
        "fat": rng.uniform(0.2, 2.0),
        "skin": rng.uniform(0.1, 1.2),
        "eye": rng.uniform(0.0, 1.3),
        "air": 0.0,
    }
    image = np.zeros(SHAPE, np.float32)
    for name, share in cut.outside.items():
        image = blend(image, share, np.float32(signals[name]))
    grain = 0.15 * smooth_field(rng, SHAPE, 14) + 0.15 * smooth_field(rng, SHAPE, 3)
    return np.asarray(image * np.clip(1 + grain, 0, None), np.float32)


def _acquired(rng: np.random.Generator, signal: Image) -> Image:
    """Return what a scanner of random coil, resolution and noise makes of a signal."""
    coil = np.exp(np.float32(rng.uniform(0, 0.3)) * smooth_field(rng, SHAPE, rng.uniform(70, 150)))
    blurred = ndimage.gaussian_filter(signal * coil, rng.uniform(0, 1.3, 2) * rng.uniform(0.3, 1))
    noise = rng.standard_normal((2, *SHAPE), dtype=np.float32) * np.float32(rng.uniform(0, 0.05))
    return np.asarray(np.hypot(blurred + noise[0], noise[1]), np.float32)


def _printed(rng: np.random.Generator, image: Image) -> NDArray[np.uint8]:
    top = float(np.percentile(image, rng.uniform(98.5, 100))) * rng.uniform(0.85, 1.3)
    grey = np.clip(image / max(top, 0.05), 0, 1) ** np.float32(rng.uniform(0.8, 1.25))
    return np.asarray(grey * 255 + 0.5, np.uint8)
