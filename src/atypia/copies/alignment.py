"""Whether two thumbnails show one picture: the second is shifted and stretched onto the first, then compared.

A search over crops finds about where, the method of Lucas and Kanade (1981) exactly where, for a shift and
a stretch along each axis, with the gain and the offset of the brightness solved for in the same least
squares, as in Baker and Matthews, Lucas-Kanade 20 years on (2004), part 3. Each stage looks at what the one
before it found alike.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from atypia.copies.pose import posed_each
from atypia.copies.thumbnail import Thumbnails
from atypia.copies.warp import Batch, positions, smoothed, warped

# Copies are at least so alike: in the first, coarse search; after the alignment; and in their details.
ROUGHLY = 0.85
ALIGNED = 0.9
LIKE = 0.955
# What belongs to a cluster by way of others is at least so alike to one of its members.
KIN = 0.8

# A crop of 5 % a side on either picture stretches an axis by at most 1 / 0.9 and shifts it by at most 0.11 of
# half a side; what leaves this range is no crop.
_STRETCH = (0.84, 1.19)
_SHIFT = 0.13
_STEPS = 5
_COARSE = 16
# In pixels of the large thumbnail: the scale of the details that are compared, and the step of the windows.
_FINE, _BROAD, _STRIDE = 1.0, 2.5, 4
_FAINT = 0.1
_SHARE = 25


def similarities(
    thumbnails: Thumbnails,
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    poses: NDArray[np.integer],
    *,
    thorough: bool = False,
) -> Batch:
    """Return how alike pairs (N,) are, in -1..1, the first one laid in its pose and the second aligned to it.

    From LIKE on they are copies. What is far from that has a rougher number, which is below LIKE, unless the
    look at details is `thorough`.
    """
    ones = posed_each(thumbnails.small[first], poses).astype(np.float32)
    twos = thumbnails.small[second].astype(np.float32)
    frames, found = _about(ones, twos)
    found = np.minimum(found, 0.9)
    near = np.flatnonzero((found > ROUGHLY) | thorough)
    if len(near):
        frames[near] = _aligned(ones[near], twos[near], frames[near])
        found[near] = np.minimum(correlation(ones[near], *warped(twos[near], frames[near])), 0.95)
        near = near[(found[near] > ALIGNED) | thorough]
    if len(near):
        large = posed_each(thumbnails.large.read(first[near]), poses[near]).astype(np.float32)
        other = thumbnails.large.read(second[near]).astype(np.float32)
        frames[near] = bounded(frames[near] + step(large, other, frames[near]))
        found[near] = likeness(large, *warped(other, frames[near]))
    return found


def _lattice() -> Batch:
    """Return the frames (81, 4) of crops that cut or add nothing or 5 % at either end of either axis."""
    ends = [(1 + (b - a) / 2, (a + b) / 2) for a, b in product((-0.09, 0, 0.09), repeat=2)]
    return np.array([(*down, *across) for down, across in product(ends, repeat=2)], np.float32)


@cache
def _readings() -> tuple[Batch, Batch]:
    """Return what reads a coarse picture through each frame, (256, 81 * 256), and where that is inside it."""
    unit = np.eye(_COARSE * _COARSE, dtype=np.float32).reshape(-1, _COARSE, _COARSE)
    seen = [warped(unit, np.broadcast_to(frame, (len(unit), 4))) for frame in _FRAMES]
    reading = np.concatenate([found.reshape(len(unit), -1) for found, _ in seen], 1)
    return reading, np.stack([inside[0].ravel() for _, inside in seen])


_FRAMES = _lattice()


def _about(ones: Batch, twos: Batch) -> tuple[Batch, Batch]:
    """Return the best frame (N, 4) of a lattice, and the correlation that it gives, on a coarse grid."""
    ones, twos = (_coarse(pictures).reshape(len(pictures), -1) for pictures in (ones, twos))
    read, inside = _readings()
    counts = inside.sum(1)
    seen = (twos @ read).reshape(len(twos), len(_FRAMES), -1) * inside
    mean, power = seen.sum(2) / counts, (seen * seen).sum(2)
    shared = np.einsum("np,nfp->nf", ones, seen) - (ones @ inside.T) * mean
    power_ones = (ones * ones) @ inside.T - (ones @ inside.T) ** 2 / counts
    found = shared / np.sqrt(np.maximum(power_ones * (power - counts * mean * mean), 1e-3))
    best = found.argmax(1)
    return _FRAMES[best], found[np.arange(len(found)), best]


def _coarse(pictures: Batch) -> Batch:
    factor = pictures.shape[-1] // _COARSE
    return smoothed(pictures.reshape(-1, _COARSE, factor, _COARSE, factor).mean((2, 4)), 0.7)


def _aligned(ones: Batch, twos: Batch, frames: Batch) -> Batch:
    broad_ones, broad_twos = smoothed(ones, 1.5), smoothed(twos, 1.5)
    for number in range(_STEPS):
        pair = (broad_ones, broad_twos) if number < _STEPS - 2 else (ones, twos)
        frames = bounded(frames + step(*pair, frames))
    return frames


def bounded(frames: Batch) -> Batch:
    """Return frames (N, 4) held to what a crop can do."""
    frames = frames.copy()
    frames[:, ::2] = np.clip(frames[:, ::2], *_STRETCH)
    frames[:, 1::2] = np.clip(frames[:, 1::2], -_SHIFT, _SHIFT)
    return frames


def step(ones: Batch, twos: Batch, frames: Batch) -> Batch:
    """Solve for gain, offset and the change of the frames (N, 4) that fit the second ones to the first."""
    count, side = len(ones), ones.shape[-1]
    seen, inside = warped(twos, frames)
    down, across = np.gradient(seen, 2 / side, axis=(1, 2))
    axis = positions(side)
    parts = np.empty((count, 6, side, side), np.float32)
    for place, column in enumerate((down * axis[:, None], down, across * axis, across, seen, 1)):
        np.multiply(column, inside, out=parts[:, place])
    columns = parts.reshape(count, 6, -1)
    normal = np.einsum("nip,njp->nij", columns, columns)
    target = np.einsum("nip,np->ni", columns, ones.reshape(count, -1))[:, :, None]
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-6))
    normal = normal / (scale[:, :, None] * scale[:, None, :]) + 1e-4 * np.eye(6, dtype=np.float32)
    found = np.linalg.solve(normal, target / scale[:, :, None])[:, :, 0] / scale
    # Thumbnails are stretched to one range, so that the gain is near 1; one near 0 is no fit to follow.
    gain = np.maximum(found[:, 4:5], 0.3)
    return np.asarray(np.clip(found[:, :4] / gain, -0.08, 0.08), np.float32)


def likeness(ones: Batch, twos: Batch, inside: Batch) -> Batch:
    """Return the correlation of details that three quarters of the windows with any detail reach.

    A copy is a copy everywhere; neighbouring slices share the skull, and here and there the rest.
    """
    a, b = _details(ones), _details(twos)
    power_a, power_b, shared = (_windows(part) for part in (a * a, b * b, a * b))
    power = np.sqrt(power_a * power_b)
    local = shared / np.maximum(power, 1e-3)
    whole = _windows(inside) > 0.99
    found = np.zeros(len(ones), np.float32)
    for place in range(len(ones)):
        strong = power[place][whole[place]]
        if strong.size:
            kept = strong > _FAINT * np.percentile(strong, 90)
            found[place] = np.percentile(local[place][whole[place]][kept], _SHARE) if kept.any() else 0
    return found


def _windows(values: Batch) -> Batch:
    """Return means over windows of 12x12 that overlap by 8, those at the rim left out."""
    count, side = len(values), values.shape[-1] // _STRIDE
    cells = values.reshape(count, side, _STRIDE, side, _STRIDE).mean((2, 4))[:, 1:-1, 1:-1]
    rows = cells[:, :-2] + cells[:, 1:-1] + cells[:, 2:]
    return np.asarray(rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:], np.float32) / np.float32(9)


def _details(pictures: Batch) -> Batch:
    return smoothed(pictures, _FINE) - smoothed(pictures, _BROAD)


def correlation(ones: Batch, twos: Batch, inside: Batch) -> Batch:
    """Return the normalised correlation of pairs (N, S, S) where `inside` is 1; 0 where one is flat."""
    counts = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    a = (ones - (ones * inside).sum((1, 2), keepdims=True) / counts) * inside
    b = (twos - (twos * inside).sum((1, 2), keepdims=True) / counts) * inside
    power = np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)))
    return np.asarray((a * b).sum((1, 2)) / np.maximum(power, 1e-3), np.float32)
