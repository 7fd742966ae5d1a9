"""Finding the interior of a head, the brain and what it swims in, apart from scalp and skull."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray
from scipy import ndimage

from atypia.scan import Image, Mask

# Scalp and skull as a share of the canvas, the little that even a head without them loses, and the least
# share of the canvas that a brain can be.
RIM, LITTLE, SMALLEST = 0.075, 0.01, 0.02

# The skull is sought on a canvas of this side, along so many rays; all lengths in its pixels: it lies at
# most so deep below the head's outline, its usual depth, and the brain begins within this behind it.
_SIDE = 96
_RAYS = 64
_STEP = 0.5
_OUTSIDE, _DEEPEST, _USUAL, _BEHIND = 1.0, 18.0, 7.0, 8.0
# From one ray to the next it moves by so many steps at most; each costs so much, and so does its distance
# from the usual depth, squared.
_BEND, _PER_STEP, _PER_DEPTH = 3, 0.03, 0.0015
# Intensities are in units of the head's median, up to the brightest; what is darker than the floor is dark.
_BRIGHTEST, _FLOOR = 2.0, 0.15
# A ring this much darker than both of its sides is the skull; a rim this bright is scalp, or bone in CT.
_SEEN, _SCALP = 0.22, 1.3
_SCALP_DEPTH = 5.0

_DEPTHS = np.arange(-_OUTSIDE, _DEEPEST, _STEP)


def find_interior(canvas: Image, head: Mask) -> Mask:
    """Return the interior (S, S) of a head (S, S) on a prepared canvas (S, S) with a background near 0.

    The skull is a dark ring between the scalp and the brain in every usual sequence. Where it is seen the
    interior ends in its midst: the ring is the closed path around the head that is darker than both of its
    sides by most, found by dynamic programming over rays (Amini, Weymouth and Jain, "Using dynamic
    programming for solving variational problems in vision", IEEE PAMI 12(9), 1990). Where none is seen, and
    the rim is no brighter than the rest, the skull has been stripped, and the head itself is the interior; a
    bright rim of the usual width is left out.
    """
    small = _resized(head.astype(np.float32), _SIDE) > 0.5
    if not small.any():
        return without_rim(head)
    rays = _Rays.of(small)
    profiles = rays.profiles(_resized(canvas, _SIDE), small)
    darkness = _darkness(profiles)
    path = _darkest_path(darkness)
    if darkness[np.arange(_RAYS), path].mean() >= _SEEN:
        interior = rays.drawn(_DEPTHS[path], len(canvas)) & head
        return interior if interior.sum() >= SMALLEST * head.size else without_rim(head)
    rim = (_DEPTHS > 0) & (_DEPTHS <= _SCALP_DEPTH)
    bright = float(np.median(profiles[:, rim].max(axis=1))) > _SCALP
    return without_rim(head, RIM if bright else LITTLE)


def without_rim(head: Mask, rim: float = RIM) -> Mask:
    """Return a head (S, S) without a rim, a share of S; a narrower one, or none, if too little is left."""
    small = _resized(head.astype(np.float32), _SIDE) > 0.5
    depth = ndimage.distance_transform_edt(np.pad(small, 1))[1:-1, 1:-1] - 0.5
    depth = _resized(depth.astype(np.float32), len(head), PIL.Image.Resampling.BILINEAR)
    for narrower in (rim, rim / 2, 0.0):
        inner = (depth > narrower * _SIDE) & head
        if inner.sum() >= SMALLEST * head.size:
            return np.asarray(inner)
    return head if head.any() else np.ones_like(head)


@dataclass(frozen=True, eq=False)
class _Rays:
    """Rays from the middle of a head: `lengths` (RAYS,) to its outline, along `directions` (2, RAYS)."""

    middle: NDArray[np.float64]
    directions: NDArray[np.float64]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, head: Mask) -> _Rays:
        middle = np.argwhere(head).mean(axis=0)
        steps, spokes = _spokes()
        rows, columns = np.clip(np.rint(middle[:, None, None] + spokes), -1, _SIDE).astype(np.intp) + 1
        inside = np.pad(head, 1)[rows, columns]
        last = steps.size - 1 - inside[:, ::-1].argmax(axis=1)
        return cls(middle, _directions(), np.where(inside.any(axis=1), steps[last], 0.0))

    def profiles(self, picture: Image, head: Mask) -> Image:
        """Return the intensities (RAYS, DEPTHS) below the outline, in units of the head's median."""
        values = ndimage.map_coordinates(picture, self._below(_DEPTHS[None]), order=1, mode="nearest")
        median = max(float(np.median(picture[head])), 1e-6)
        values = np.minimum(values / np.float32(median), np.float32(_BRIGHTEST))
        return np.asarray(ndimage.gaussian_filter1d(values, 0.7, axis=0, mode="wrap"))

    def drawn(self, depths: NDArray[np.float64], side: int) -> Mask:
        """Return a canvas of this side, filled inside of these depths (RAYS,)."""
        smooth = ndimage.gaussian_filter1d(depths, 1.0, mode="wrap")
        corners = (self._below(smooth[:, None])[::-1, :, 0] + 0.5) * side / _SIDE - 0.5
        drawing = PIL.Image.new("L", (side, side))
        PIL.ImageDraw.Draw(drawing).polygon(corners.T.ravel().tolist(), fill=1)
        return np.array(drawing).view(bool)

    def _below(self, depths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places (2, RAYS, N) at these depths (RAYS or 1, N) below the outline."""
        return np.asarray(
            self.middle[:, None, None] + (self.lengths[:, None] - depths) * self.directions[..., None]
        )


@cache
def _directions() -> NDArray[np.float64]:
    angles = 2 * np.pi * np.arange(_RAYS) / _RAYS
    return np.stack([-np.cos(angles), np.sin(angles)])


@cache
def _spokes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps (N,) along a ray and where they lead to (2, RAYS, N), seen from its start."""
    steps = np.arange(0, 0.75 * _SIDE, _STEP)
    return steps, steps * _directions()[..., None]


def _darkness(profiles: Image) -> Image:
    """Return how much darker a place (RAYS, DEPTHS) is than the brighter places on both sides, in 0..1."""
    outer = np.maximum.accumulate(profiles, axis=1)
    reach = round(_BEHIND / _STEP)
    inner = ndimage.maximum_filter1d(profiles, reach + 1, axis=1, origin=-(reach // 2), mode="nearest")
    level = np.minimum(outer, inner)
    darkness = (level - profiles) / (level + np.float32(_FLOOR))
    darkness[:, _DEPTHS < _STEP] = 0
    return np.asarray(darkness)


def _darkest_path(darkness: Image) -> NDArray[np.intp]:
    """Return the place (RAYS,) on each ray of the closed path that gathers most darkness and bends little."""
    gain = darkness - np.float32(_PER_DEPTH) * (_DEPTHS - _USUAL).astype(np.float32) ** 2
    around = np.resize(np.arange(-(_RAYS // 4), _RAYS + _RAYS // 4), _RAYS + _RAYS // 2) % _RAYS
    count = len(_DEPTHS)
    cost = (_PER_STEP * np.abs(np.arange(-_BEND, _BEND + 1))).astype(np.float32)[:, None]
    padded = np.full(count + 2 * _BEND, -np.inf, np.float32)
    best = padded[_BEND:-_BEND]
    best[:] = 0
    windows = np.lib.stride_tricks.sliding_window_view(padded, count)
    reached = np.empty((len(around), *windows.shape), np.float32)
    for step, add in zip(reached, gain[around], strict=True):
        np.subtract(windows, cost, out=step)
        np.maximum.reduce(step, axis=0, out=best)
        best += add
    place = int(best.argmax())
    path = np.empty(_RAYS, np.intp)
    for step, ray in zip(reached[::-1], around[::-1], strict=True):
        path[ray] = place
        place += int(step[:, place].argmax()) - _BEND
    return path


def _resized(values: Image, side: int, method: PIL.Image.Resampling = PIL.Image.Resampling.BOX) -> Image:
    picture = PIL.Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize((side, side), method))
