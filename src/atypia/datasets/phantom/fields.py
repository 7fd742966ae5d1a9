"""Smooth random fields: what makes no two phantoms alike.

Nothing here goes through BLAS, whose last bits may depend on the number of threads: the same
generator gives the same field on one machine, whatever else runs there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image

Taps = tuple[NDArray[np.intp], Image]


def smoothstep(x: Image, low: float, high: float) -> Image:
    """Rise from 0 at `low` to 1 at `high` without a kink at either end; `high` may be below `low`."""
    t: Image = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    rise: Image = t * t * (3 - 2 * t)
    return rise


def blend(below: Image, share: Image, above: Image | np.float32) -> Image:
    """Cover an image with another where `share` is 1, leave it where it is 0, and mix in between."""
    return np.asarray(below + share * (above - below), np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Image:
    """Draw a field of zero mean and unit variance that varies over about `scale` pixels.

    Normal noise on a coarse grid, interpolated by cubic B-splines, float32 of the given shape.
    """
    spacing = max(2, round(scale))
    rows = _spline_taps(shape[0], spacing, int(rng.integers(4)))
    columns = _spline_taps(shape[1], spacing, int(rng.integers(4)))
    knots = (int(rows[0].max()) + 1, int(columns[0].max()) + 1)
    noise = rng.standard_normal(knots, dtype=np.float32)
    field = _interpolate(_interpolate(noise, rows).T, columns).T
    field = field - field.mean()
    return np.ascontiguousarray(field / (field.std() + np.float32(1e-6)))


def fractal_field(
    rng: np.random.Generator, shape: tuple[int, int], scale: float, octaves: int = 3, gain: float = 0.55
) -> Image:
    """Add smooth fields of unit variance, each of half the scale and `gain` times the height of the last."""
    field = np.zeros(shape, np.float32)
    for octave in range(octaves):
        field += np.float32(gain**octave) * smooth_field(rng, shape, scale / 2**octave)
    scaled: Image = field / field.std()
    return scaled


@lru_cache(maxsize=512)
def _spline_taps(length: int, spacing: int, quarter: int) -> Taps:
    """Return the four knots that each pixel leans on, (4, length), and their cubic B-spline weights.

    `quarter` moves the grid of knots by quarters of its spacing, so that knots lie elsewhere in each field.
    """
    place = np.arange(length) / spacing + quarter / 4
    first = np.floor(place).astype(np.intp)
    u = (place - first).astype(np.float32)
    weights = np.stack([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]) / 6
    return first + np.arange(4)[:, None], weights.astype(np.float32)


def _interpolate(knots: Image, taps: Taps) -> Image:
    """Interpolate along the first axis: (knots, n) to (length, n)."""
    index, weights = taps
    total: Image = weights[0][:, None] * knots[index[0]]
    for tap in range(1, 4):
        total += weights[tap][:, None] * knots[index[tap]]
    return total
