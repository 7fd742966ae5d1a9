"""Putting lesions of many shapes and textures into healthy scans of any contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.lesions.deformation import deform, sampled
from atypia.lesions.field_bank import field_bank
from atypia.lesions.settings import LesionSettings
from atypia.scan import Image, Mask

# A change below this, in units of the brain's median, is not asked to be found.
LEAST_CHANGE = 0.035
BRIGHTEST = 4.0


@dataclass(frozen=True, eq=False)
class Simulated:
    """Scans `pixels` float32 (N, S, S), their lesions' `mask` bool (N, S, S), and the other layers."""

    pixels: Image
    mask: Mask
    layers: Image


@dataclass(frozen=True, eq=False)
class _Shape:
    """How much lesion is in each pixel, `share` in [0, 1]; `outside` is negative within, in radii."""

    share: Image
    outside: Image
    radius: NDArray[np.float32]
    centre: NDArray[np.float32]


@final
class LesionSimulator:
    """Draws healthy scans anew, with lesions in most of them.

    A lesion is a stretched disc with a ragged edge, sharp or soft, that ends at the skull. It takes one of
    three looks: the tissue below brightened or darkened, as by oedema; a mass with a texture of its own; or
    tissue from elsewhere, of another scan (foreign patches: Tan et al., "Detecting outliers with foreign
    patch interpolation", 2020; shapes and soft edges for learning to segment them: Zhang et al., "Self-
    supervised tumor segmentation with sim2real adaptation", 2021; the mixture is ours). Some have another
    core, or a bright rim around a dark one.
    """

    def __init__(self, size: int, settings: LesionSettings | None = None, seed: int = 0) -> None:
        self.size, self.settings = size, settings or LesionSettings()
        self._bank = field_bank(size, seed)

    def __call__(self, rng: np.random.Generator, layers: Image) -> Simulated:
        """Draw from healthy scans (N, 2 + C, S, S).

        The first layer is the scan in units of its brain's median, the second the depth below the surface of
        the head as a share of the canvas; the others are carried along. The same generator, the same scans.
        """
        moved = deform(rng, layers, self._bank)
        healthy, depth = moved[:, 0], moved[:, 1]
        pixels, mask = self.add(rng, healthy, depth)
        spared = rng.random(len(pixels)) < self.settings.healthy
        pixels[spared], mask[spared] = healthy[spared], False
        return Simulated(self._taken(rng, pixels), mask, moved[:, 2:])

    def add(self, rng: np.random.Generator, healthy: Image, depth: Image) -> tuple[Image, Mask]:
        """Return scans (N, S, S) with one lesion each, or two, and where.

        `healthy` float32 (N, S, S) is in units of the brain's median, `depth` (N, S, S) the depth below the
        surface of the head as a share of the canvas, 0 outside. Nothing outside the head changes.
        """
        pixels, mask = self._one(rng, healthy, depth)
        again = np.flatnonzero(rng.random(len(pixels)) < self.settings.several)
        if len(again):
            pixels[again], second = self._one(rng, pixels[again], depth[again])
            mask[again] |= second
        return pixels, mask

    def _one(self, rng: np.random.Generator, healthy: Image, depth: Image) -> tuple[Image, Mask]:
        shape = self._shape(rng, depth)
        if self.settings.mass:
            healthy = self._pushed(rng, healthy, depth, shape)
        if self.settings.tissue:
            shape = replace(shape, share=shape.share * self._within_tissue(rng, healthy, shape.share))
        inside = self._look(rng, healthy, shape)
        share = shape.share * (0.7 + 0.3 * _each(rng, len(healthy)))
        pixels = np.asarray(healthy * (1 - share) + share * np.maximum(inside, 0), np.float32)
        changed = smooth(np.abs(pixels - healthy), 5) > LEAST_CHANGE
        return pixels, (shape.share > 0.4) & changed

    def _shape(self, rng: np.random.Generator, depth: Image) -> _Shape:
        given, count = self.settings, len(depth)
        radius = _log_uniform(rng, count, given.radius) * np.float32(self.size)
        centre = np.array([_place(rng, deep) for deep in depth], np.float32)
        rows, columns = np.mgrid[: self.size, : self.size].astype(np.float32)
        down, right = rows - centre[:, :1, None], columns - centre[:, 1:, None]
        turn, stretch = np.pi * _each(rng, count), np.exp(0.25 * _normal(rng, count))
        along = (np.cos(turn) * right + np.sin(turn) * down) * stretch
        across = (np.cos(turn) * down - np.sin(turn) * right) / stretch
        ragged = 0.9 * self._field(rng, count, 5) + 0.5 * self._field(rng, count, 10)
        ragged += 0.25 * self._field(rng, count, 20)
        outside = np.hypot(along, across) / radius[:, None, None] - 1
        outside += np.float32(0.33) * ragged * (0.4 + 1.4 * _each(rng, count))
        sharpness = np.float32(2.2) / _log_uniform(rng, count, given.edge)[:, None, None]
        share = _sigmoid(-outside * sharpness) * _sigmoid(115 * (depth - np.float32(given.skull)))
        share *= depth > 0
        return _Shape(share, outside, radius, centre)

    def _pushed(self, rng: np.random.Generator, healthy: Image, depth: Image, shape: _Shape) -> Image:
        """Return scans whose tissue has moved away from the lesions, most at their edges."""
        pushed = healthy.copy()
        rows, columns = np.mgrid[: self.size, : self.size].astype(np.float32)
        for place in np.flatnonzero(rng.random(len(healthy)) < self.settings.mass):
            radius = shape.radius[place]
            down, right = rows - shape.centre[place, 0], columns - shape.centre[place, 1]
            distance = np.hypot(down, right) + np.float32(1e-3)
            rise = distance / (distance + np.float32(0.6) * radius)
            fall = np.exp(-((distance / (np.float32(2.6) * radius)) ** 2))
            held = np.clip((depth[place] - np.float32(0.03)) / np.float32(0.06), 0, 1)
            step = np.float32(rng.uniform(0.1, 0.5)) * radius * rise * fall * held / distance
            pushed[place] = sampled(pushed[place][None], rows - step * down, columns - step * right)[0]
        return pushed

    def _within_tissue(self, rng: np.random.Generator, healthy: Image, share: Image) -> Image:
        """Return where a lesion finds tissue of the kind that it keeps to, (N, S, S) in [0, 1].

        The border between kinds lies near the mean of the tissue around; swelling follows white matter so.
        """
        count = len(healthy)
        level = (smooth(healthy, 9) * share).sum((1, 2)) / (share.sum((1, 2)) + 1e-3)
        border = np.asarray(level, np.float32)[:, None, None] * (1 + 0.1 * _normal(rng, count))
        sign = np.where(_each(rng, count) < 0.5, np.float32(-1), np.float32(1))
        sharp = 10 + 30 * _each(rng, count)
        kept = _sigmoid(sign * sharp * (healthy - border) + 1)
        return np.asarray(np.where(_each(rng, count) < self.settings.tissue, kept, 1), np.float32)

    def _look(self, rng: np.random.Generator, healthy: Image, shape: _Shape) -> Image:
        """Return what a lesion looks like, (N, S, S), drawn everywhere."""
        given, count = self.settings, len(healthy)
        around = (smooth(healthy, 9) * shape.share).sum((1, 2)) / (shape.share.sum((1, 2)) + 1e-3)
        level = np.asarray(around, np.float32)[:, None, None]
        contrast = _log_uniform(rng, count, given.contrast)[:, None, None]
        bright = _each(rng, count) < given.bright
        change = np.where(bright, contrast, -np.minimum(contrast, 0.75))
        texture = 0.5 * self._field(rng, count, 8) + 0.4 * self._field(rng, count, 16)
        texture += 0.3 * self._field(rng, count, 40)
        texture *= 0.25 * _each(rng, count)
        swollen = healthy * (1 + change * (1 + texture))
        mass = level * (1 + change) * (1 + texture)
        step = rng.integers(-self.size // 5, self.size // 5 + 1, 2)
        elsewhere = np.roll(healthy[rng.permutation(count)], (int(step[0]), int(step[1])), (1, 2))[:, :, ::-1]
        kind = _each(rng, count)
        inside = np.where(kind < 0.85, 0.75 * mass + 0.25 * swollen, 0.5 * elsewhere + 0.5 * mass)
        inside = np.where(kind < 0.45, swollen, inside)
        inside = self._with_core(rng, inside, level, texture, shape)
        return self._with_ring(rng, healthy, inside, level, texture, shape)

    def _with_core(
        self, rng: np.random.Generator, inside: Image, level: Image, texture: Image, shape: _Shape
    ) -> Image:
        count = len(inside)
        share = _sigmoid((shape.outside + 0.3 + 0.25 * _each(rng, count)) * np.float32(-1 / 0.06))
        core = level * (0.2 + 1.5 * _each(rng, count)) * (1 + texture)
        has = (_each(rng, count) < self.settings.core) & (shape.radius[:, None, None] > 0.07 * self.size)
        return np.asarray(np.where(has, inside * (1 - share) + core * share, inside), np.float32)

    def _with_ring(
        self,
        rng: np.random.Generator,
        healthy: Image,
        inside: Image,
        level: Image,
        texture: Image,
        shape: _Shape,
    ) -> Image:
        if not self.settings.ring:
            return inside
        count = len(inside)
        width = 0.12 + 0.25 * _each(rng, count)
        rim = np.exp(-2 * ((shape.outside + 0.6 * width) / width) ** 2)
        dark = level * (0.35 + 0.5 * _each(rng, count)) * (1 + texture)
        bright = level * (1.3 + 0.9 * _each(rng, count)) * (1 + 0.5 * texture)
        ringed = np.where(shape.outside < -width, dark, healthy) * (1 - rim) + bright * rim
        return np.asarray(np.where(_each(rng, count) < self.settings.ring, ringed, inside), np.float32)

    def _taken(self, rng: np.random.Generator, pixels: Image) -> Image:
        """Vary gain, gamma, bias field, noise and sharpness, as scanners do."""
        count = len(pixels)
        varied = np.maximum(pixels * (1 + 0.07 * _normal(rng, count)), 0) ** np.exp(
            0.12 * _normal(rng, count)
        )
        varied = varied * (1 + 0.08 * self._field(rng, count, 3))
        noise = rng.standard_normal(pixels.shape, dtype=np.float32)
        varied = varied + noise * (0.04 * _each(rng, count))
        if rng.random() < 0.25:
            varied = smooth(varied, 3)
        return np.asarray(np.clip(varied, 0, BRIGHTEST), np.float32)

    def _field(self, rng: np.random.Generator, count: int, grid: int) -> Image:
        return self._bank.draw(rng, count, grid)


def smooth(pixels: Image, width: int) -> Image:
    """Average (N, S, S) over squares of `width` pixels."""
    return np.asarray(ndimage.uniform_filter(pixels, (0, width, width), mode="nearest"), np.float32)


def _each(rng: np.random.Generator, count: int) -> Image:
    """Draw a number in [0, 1) for each scan, (N, 1, 1)."""
    return rng.random((count, 1, 1), dtype=np.float32)


def _normal(rng: np.random.Generator, count: int) -> Image:
    return rng.standard_normal((count, 1, 1), dtype=np.float32)


def _log_uniform(rng: np.random.Generator, count: int, limits: tuple[float, float]) -> NDArray[np.float32]:
    low, high = np.log(limits)
    return np.asarray(np.exp(low + (high - low) * rng.random(count)), np.float32)


def _place(rng: np.random.Generator, depth: Image) -> tuple[int, int]:
    """Draw a centre, not too near the surface of the head; the middle where there is none."""
    deep = np.flatnonzero(depth > 0.07 + 0.08 * rng.random())
    if not len(deep):
        return len(depth) // 2, len(depth) // 2
    row, column = divmod(int(deep[rng.integers(len(deep))]), len(depth))
    return row, column


def _sigmoid(x: Image) -> Image:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
