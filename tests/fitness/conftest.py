"""Heads of one kind, as an MRI and as a CT would show them, held in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atypia.fitness import Fitness


@dataclass(frozen=True, eq=False)
class Held:
    """Prepared scans in memory, read by index."""

    pixels: np.ndarray
    foreground: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray) -> Held:
        return Held(self.pixels[indices], self.foreground[indices])


def draw(count: int, seed: int = 0, *, ct: bool = False, size: int = 112, lesion: float = 0.0) -> Held:
    """Draw heads: scalp, bone and brain. Bone is bright in CT and dark in MRI, whose scalp is bright."""
    pixels, heads = [], []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        rows, columns = (np.mgrid[:size, :size] + 0.5) / size - 0.5
        radius = np.hypot(rows / rng.uniform(0.43, 0.47), columns / rng.uniform(0.35, 0.4))
        scalp, bone, brain = (0.3, 1.0, 0.4) if ct else (0.9, 0.1, 0.5)
        shown = np.where(radius < 0.82, brain, np.where(radius < 0.95, bone, scalp)) * (radius < 1)
        texture = gaussian_filter(rng.normal(size=shown.shape), size / 20)
        shown = shown + (0.01 if ct else 0.08) * texture / texture.std() * (radius < 0.82)
        spot = (rows - 0.1) ** 2 + (columns - 0.08) ** 2 < 0.08**2
        noisy = gaussian_filter(shown + lesion * spot, 0.6) + rng.normal(0, 0.01, shown.shape)
        pixels.append(np.clip(noisy, 0, 1).astype(np.float32))
        heads.append(radius < 1)
    return Held(np.stack(pixels), np.stack(heads))


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Held]:
    """`drawn(count, seed, ct=False, size=112, lesion=0.0)`."""
    return draw


@pytest.fixture(scope="session")
def fitness() -> Fitness:
    """A check that was learned from 40 heads and calibrated on 20 others."""
    learned = Fitness.learn(draw(40, 1), draw(20, 2), threads=1)
    assert learned is not None
    return learned
