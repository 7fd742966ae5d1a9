"""What a restoring network learns to undo: healthy scans, altered in a part of the brain, by many means."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

# Shares of the picture's side: the reach of a region, and by how much a foreign patch is shifted.
SMALLEST, LARGEST, SHIFT = 0.04, 0.22, 0.2
# The weakest strength that training draws, and the shares of scans with noise all over, with a region, two.
WEAKEST, NOISY, REGIONAL, TWICE = 0.2, 0.4, 0.7, 0.3
FAINTEST, STRONGEST, DARKEST, BRIGHTER = 0.15, 1.2, -0.8, 0.65
NOISE, MIXED = 0.5, 0.6


class Corrupted(NamedTuple):
    """A corrupted scan (S, S), its strength in (0, 1], and where its regions are, (S, S) in [0, 1]."""

    scan: Image
    strength: float
    where: Image


def coarse_noise(size: int, cells: int, rng: np.random.Generator) -> Image:
    """Draw noise (S, S) of unit variance on a coarse grid of cells, enlarged bilinearly and rolled at random.

    Kascenas, Pugeault, O'Neil, "Denoising autoencoders for unsupervised anomaly detection in brain MRI",
    MIDL 2022, section 2.
    """
    cells = min(cells, size)
    drawn = rng.standard_normal((cells, cells), dtype=np.float32)
    noise = ndimage.zoom(drawn, size / cells, order=1, mode="grid-wrap", grid_mode=True)
    return np.roll(noise, rng.integers(0, size, 2), (0, 1))


def corrupt(scan: Image, other: Image, head: Mask, brain: Mask, rng: np.random.Generator) -> Corrupted:
    """Corrupt a scan (S, S), in units of the brain's median, by a strength t in (0, 1].

    x_t = (1 - t m) x_0 + t m x_c: Naval Marimont et al., "DISYRE: diffusion-inspired synthetic restoration
    for unsupervised anomaly detection", ISBI 2024, the corruption in section 2, where x_c is a patch of
    another scan. Here x_c is drawn out of CORRUPTIONS, in one or two soft irregular regions m; some scans
    have coarse noise all over the head, with or without regions, and some nothing at all.
    `other` is another healthy scan.
    """
    strength = np.float32(rng.uniform(WEAKEST, 1))
    out, where = scan, np.zeros_like(scan)
    if rng.random() < NOISY:
        out = (
            out + np.float32(NOISE) * strength * coarse_noise(len(scan), int(rng.integers(8, 24)), rng) * head
        )
    if rng.random() < REGIONAL:
        tissue = _soft(brain, len(scan))
        for _ in range(2 if rng.random() < TWICE else 1):
            region = draw_region(brain, rng) * tissue
            _, change = CORRUPTIONS[KINDS[rng.choice(len(KINDS), p=SHARES)]]
            altered = np.maximum(change(out, other, region, rng), 0)
            out = np.asarray(out + strength * region * (altered - out), np.float32)
            where = np.maximum(where, region)
    return Corrupted(out, float(strength), where)


def _soft(brain: Mask, size: int) -> Image:
    """Return 1 in the brain, and what falls to 0 within some 3 % of the picture outside it."""
    if not brain.any():
        return np.ones(brain.shape, np.float32)
    wider = ndimage.uniform_filter(brain.astype(np.float32), 2 * round(0.03 * size) + 1)
    return np.asarray(np.minimum(2 * wider, 1))


def draw_region(brain: Mask, rng: np.random.Generator) -> Image:
    """Draw a soft irregular region (S, S) in [0, 1] around a place in the brain."""
    size = len(brain)
    inside = np.flatnonzero(brain if brain.any() else np.ones_like(brain))
    row, column = np.unravel_index(inside[rng.integers(len(inside))], brain.shape)
    reach = size * np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    angle, stretch = rng.uniform(0, np.pi), np.exp(rng.normal(0, 0.25))
    rows = np.arange(size, dtype=np.float32)[:, None] - np.float32(row)
    columns = np.arange(size, dtype=np.float32)[None] - np.float32(column)
    along = (np.cos(angle) * columns + np.sin(angle) * rows) * stretch
    across = (np.cos(angle) * rows - np.sin(angle) * columns) / stretch
    ragged = coarse_noise(size, 6, rng) + 0.5 * coarse_noise(size, 14, rng)
    beyond = np.hypot(along, across) / reach - 1 + rng.uniform(0.1, 0.45) * ragged
    softness = np.exp(rng.uniform(np.log(0.03), np.log(0.25)))
    # Flat beyond 20, where exp would overflow.
    region = 1 / (1 + np.exp(np.clip(beyond / softness, -20, 20)))
    return np.asarray(region, np.float32)


def _noise(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    del other, region
    return scan + np.float32(rng.uniform(0.2, 0.8)) * coarse_noise(len(scan), int(rng.integers(6, 28)), rng)


def _blur(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    del other, region
    return np.asarray(ndimage.gaussian_filter(scan, len(scan) * rng.uniform(0.015, 0.04)), np.float32)


def _patch(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Tissue of another scan, from elsewhere."""
    del region
    reach = round(SHIFT * len(scan))
    return np.roll(other[:, ::-1], rng.integers(-reach, reach + 1, 2), (0, 1))


def _lesion(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Brighter or darker tissue, with structure kept, or solid with a texture of its own."""
    del other
    contrast = np.exp(rng.uniform(np.log(FAINTEST), np.log(STRONGEST)))
    contrast = contrast if rng.random() < BRIGHTER else -contrast
    texture = 1 + rng.uniform(0, 0.25) * coarse_noise(len(scan), int(rng.integers(8, 40)), rng)
    base = scan if rng.random() < 0.5 else _level(scan, region)
    return np.asarray(base * (1 + max(contrast, DARKEST) * texture), np.float32)


def _hole(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    """One grey value: none, that of the surroundings, or any."""
    del other
    value = (0.0, _level(scan, region), rng.uniform(0, 2))[rng.integers(3)]
    return np.full_like(scan, value)


def _mixture(scan: Image, other: Image, region: Image, rng: np.random.Generator) -> Image:
    """Another scan, shining through at the same place."""
    del region
    share = np.float32(rng.uniform(0.2, MIXED))
    return scan + share * (other - scan)


def _level(scan: Image, region: Image) -> float:
    return float((scan * region).sum() / (region.sum() + 1e-3))


Corruption = Callable[[Image, Image, NDArray[np.float32], np.random.Generator], Image]

CORRUPTIONS: dict[str, tuple[float, Corruption]] = {
    "lesion": (0.45, _lesion),
    "noise": (0.15, _noise),
    "hole": (0.1, _hole),
    "patch": (0.15, _patch),
    "mixture": (0.1, _mixture),
    "blur": (0.05, _blur),
}
"""Name -> how often it is drawn, and what it makes of a scan, beside another one, in a region."""
KINDS = tuple(CORRUPTIONS)
SHARES = tuple(share for share, _ in CORRUPTIONS.values())
