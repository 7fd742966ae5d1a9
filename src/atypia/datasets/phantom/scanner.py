"""What the scanner adds: uneven coils, noise, finite resolution, ghosts, and the window of the print."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from atypia.datasets.phantom.anatomy import SIZE, centred_grid
from atypia.datasets.phantom.fields import smoothstep
from atypia.scan import Image


def acquire(rng: np.random.Generator, signal: Image) -> Image:
    """Return the magnitude image that a scanner makes of a signal: float32, with noise and ringing.

    Noise is complex and normal in k-space, hence Rician in the picture (H. Gudbjartsson and S. Patz,
    "The Rician distribution of noisy MRI data", Magnetic Resonance in Medicine 34 (1995) 910, eq. 1).
    """
    noise = rng.standard_normal((2, SIZE, SIZE), dtype=np.float32) * np.float32(rng.uniform(0.006, 0.035))
    spectrum = fft.fft2(_coil(rng) * signal + noise[0] + 1j * noise[1])
    spectrum *= _sampled(rng)
    if rng.random() < 0.08:
        spectrum[:, ::2] *= np.float32(1 + rng.uniform(0.01, 0.03))  # a faint ghost, half the picture away
    return np.asarray(np.abs(fft.ifft2(spectrum)), np.float32)


def print_window(rng: np.random.Generator, image: Image, white: float) -> NDArray[np.uint8]:
    """Turn signal into grey values, where `white` is the signal that may be printed white."""
    top = white * (rng.uniform(1.0, 1.15) if rng.random() < 0.7 else rng.uniform(1.15, 1.6))
    bottom = rng.uniform(0, 0.02)
    grey = np.clip((image - np.float32(bottom)) / np.float32(top), 0, 1) ** np.float32(rng.uniform(0.9, 1.12))
    return np.asarray(grey * 255 + 0.5, np.uint8)


def _coil(rng: np.random.Generator) -> Image:
    """Draw the coil's sensitivity: a smooth quadratic, exponentiated, around 1."""
    rows, columns = (axis / np.float32(SIZE / 2) for axis in centred_grid())
    terms = [columns, rows, 0.8 * (columns**2 - 0.3), 0.8 * (rows**2 - 0.3), 0.8 * rows * columns]
    field = sum(float(rng.normal()) * term for term in terms)
    return np.exp(np.float32(rng.uniform(0.03, 0.16)) * field).astype(np.float32)


def _sampled(rng: np.random.Generator) -> Image:
    """Draw how much of k-space was sampled along either axis, with a soft edge; in the order of `fft2`."""
    frequency = np.abs(fft.fftfreq(SIZE)).astype(np.float32) * 2
    rows, columns = (1 - smoothstep(frequency, reach - 0.12, reach) for reach in rng.uniform(0.62, 1.0, 2))
    return np.outer(rows, columns)
