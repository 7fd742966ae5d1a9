"""Scores and maps of different detectors in the same units, learned from held-out healthy scans."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image, Mask

Array = NDArray[np.float64]

KNOTS = 33
# A pixel's surprise is told from these shares of the healthy pixels on.
SHARES = (0.0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
PER_SCAN = 2000
# Nothing is more surprising than this, however far it lies beyond the healthy: in units of log(10).
MOST = 12.0


@dataclass(frozen=True, eq=False)
class ScoreScale:
    """Turns scores into normal scores: how many standard deviations a healthy scan so high would be.

    Between the healthy scores their normal scores are interpolated (van der Waerden's, with the plotting
    positions (r - 0.375) / (n + 0.25) of Blom 1958); beyond them the line goes on with the slope of the upper
    half, so that a score far outside stays far outside. Where all healthy scores are one value there is no
    such unit: what is higher becomes 1, what is lower -1.
    """

    knots: Array
    normal: Array

    @classmethod
    def learn(cls, scores: Array) -> Self:
        """Learn from the scores (n,) of held-out healthy scans."""
        from scipy.special import ndtri

        ordered = np.sort(np.asarray(scores, np.float64))
        places = np.unique(np.linspace(0, len(ordered) - 1, min(KNOTS, len(ordered))).round().astype(int))
        knots = ordered[places]
        normal = ndtri((places + 1 - 0.375) / (len(ordered) + 0.25))
        kept = np.concatenate([[True], np.diff(knots) > 1e-9 * (1 + abs(knots[-1]))])
        return cls(knots[kept], normal[kept])

    def __call__(self, scores: Array) -> Array:
        """Return the normal scores (N,) of scores (N,)."""
        if len(self.knots) < 2:
            return np.asarray(np.sign(scores - self.knots[0]), np.float64)
        inside = np.interp(scores, self.knots, self.normal)
        above = np.maximum(scores - self.knots[-1], 0)
        below = np.maximum(self.knots[0] - scores, 0)
        return np.asarray(inside + (above - below) / self._width())

    def _width(self) -> float:
        """Return one standard deviation, by the upper half of the healthy scores if there is one."""
        middle, least = float(np.interp(0, self.normal, self.knots)), 0.0
        if self.normal[-1] < 0.5:  # most scores are the highest
            middle, least = float(self.knots[0]), float(self.normal[0])
        return max((float(self.knots[-1]) - middle) / (float(self.normal[-1]) - least), 1e-12)


@dataclass(frozen=True, eq=False)
class MapScale:
    """Turns map values into surprise: -log10 of the share of healthy pixels that are as high.

    Beyond the highest share that is told the curve goes on as that of an exponential tail. Where all healthy
    pixels are one value nothing beyond it can be told apart.
    """

    knots: Array
    surprise: Array

    @classmethod
    def learn(cls, values: Image) -> Self:
        """Learn from map values (n,) inside the heads of held-out healthy scans."""
        knots = np.quantile(np.asarray(values, np.float64), SHARES)
        surprise = -np.log10(1 - np.array(SHARES))
        last = np.concatenate([np.diff(knots) > 1e-9 * (1 + abs(knots[-1])), [True]])
        return cls(knots[last], surprise[last])  # of equal values the most surprising share counts

    def __call__(self, heat: Image) -> Image:
        """Return the surprise (N, S, S), from 0 to 12."""
        if len(self.knots) < 2:
            return np.asarray((heat > self.knots[0]) * self.surprise[0], np.float32)
        slopes, offsets = self._lines
        piece = np.zeros(heat.shape, np.uint8)
        for knot in _rounded_up(self.knots):
            piece += heat >= knot
        told = slopes.take(piece) * heat + offsets.take(piece)
        return np.asarray(np.minimum(told, MOST), np.float32)

    @cached_property
    def _lines(self) -> tuple[Array, Array]:
        """Return slope and offset of the line below the first knot, of that beyond each, in order."""
        back = max(len(self.knots) - 4, 0)
        width = (self.knots[-1] - self.knots[back]) / (self.surprise[-1] - self.surprise[back])
        inner = np.diff(self.surprise) / np.diff(self.knots)
        slopes = np.concatenate([[0.0], inner, [1 / max(width, 1e-12)]])
        starts, values = self.knots[[0, *range(len(self.knots))]], self.surprise[[0, *range(len(self.knots))]]
        return slopes, values - slopes * starts


def _rounded_up(knots: Array) -> Image:
    """Return the smallest float32 values at or above these: what float32 values are compared with."""
    near = knots.astype(np.float32)
    return np.where(near < knots, np.nextafter(near, np.float32(np.inf)), near)


def sampled(rng: np.random.Generator, heat: Image, heads: Mask) -> Image:
    """Return some of the values inside each head, drawn at random, (n,)."""
    drawn = []
    for values, head in zip(heat, heads, strict=True):
        inside = values[head]
        if len(inside):
            drawn.append(inside[rng.integers(len(inside), size=PER_SCAN)])
    return np.concatenate(drawn) if drawn else np.zeros(1, np.float32)
