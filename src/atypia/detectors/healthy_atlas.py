"""An atlas made anew for each scan: what the most alike healthy scans show at each place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.detectors.batch import Batch
from atypia.detectors.cells import widened
from atypia.detectors.heat import averaged, resampling
from atypia.errors import NotEnoughScans
from atypia.scan import Image, Mask

Array = NDArray[np.float32]

SIDE = 56
"""Pixels a side of the atlas: what it holds is smooth."""
FEATURES = 14
MOST = 4000
"""The bank holds at most so many scans, 60 MB of them, whatever the number of healthy ones."""
RETRIEVED = 20
# Left and right are taken for one another where a scan is at least so much like its mirror image.
SYMMETRIC = 0.88
# What is brighter than this counts as this: for what a scan is most alike, and for how symmetric it is.
BRIGHTEST, BRIGHTEST_SIDE = 2.0, 1.0
# Values between these quantiles of the retrieved scans are no departure at all.
LOW, HIGH = 0.15, 0.85
FLOOR = 0.12
ASYMMETRY_FLOOR = 0.08
SMOOTH, MIRROR_SMOOTH = 1.16, 1.56


@dataclass(frozen=True, eq=False)
class Expected:
    """What healthy scans make one expect, float32 (N, SIDE, SIDE) each, in units of the scan's brain median.

    `median` and `spread` (the median absolute deviation) of the retrieved scans; `brighter` and `darker` are
    the departures beyond them, in spreads; `asymmetry` the brightness beyond the mirrored side, negative
    where it is darker, in units of what is usual among them, 0 where a scan is not symmetric.
    """

    median: Array
    spread: Array
    brighter: Array
    darker: Array
    asymmetry: Array


@final
class HealthyAtlas:
    """A bank of healthy scans, small and smoothed: at most 4000 of them, some 15 kB each in memory.

    The residual against the median of retrieved normals goes back to atlas subtraction; retrieval makes it
    follow the slice's height and contrast. Mid-line asymmetry as in Liu et al., "Robust midsagittal plane
    extraction" (2001), normalised by that of the retrieved.
    """

    def __init__(self, scans: NDArray[np.float16], features: Array, retrieved: int) -> None:
        self.scans, self.features, self.retrieved = scans, features, retrieved
        self._asymmetries = np.abs(_asymmetry(scans.astype(np.float32))).astype(np.float16)

    @classmethod
    def learn(cls, batches: Iterable[Batch], retrieved: int = RETRIEVED) -> Self:
        """Fill the bank with these healthy scans; see `kept_places` for how many there may be."""
        small = np.concatenate([reduced(b.tissue, SIDE) for b in batches])
        plain, folded, _ = _features(small)
        return cls(_smoothed(small).astype(np.float16), np.stack([plain, folded]), retrieved)

    def __len__(self) -> int:
        return len(self.scans)

    def expect(self, batch: Batch, apart: Sequence[NDArray[np.intp]] | None = None) -> Expected:
        """Return what is expected of prepared scans.

        `apart` names, for each, the places in the bank that are not to be retrieved. Raises NotEnoughScans
        where that is the whole bank.
        """
        small = reduced(batch.tissue, SIDE)
        brain = reduced(batch.brain.astype(np.float32), SIDE) > 0.5
        found = _features(small)
        left_out: Sequence[NDArray[np.intp] | None] = [None] * len(small) if apart is None else apart
        parts = [
            self._expect(scan, inside, (plain, folded), likeness > SYMMETRIC, out)
            for scan, inside, plain, folded, likeness, out in zip(
                _smoothed(small), brain, *found, left_out, strict=True
            )
        ]
        return Expected(*(np.stack(layer) for layer in zip(*parts, strict=True)))

    def _expect(
        self,
        scan: Image,
        brain: Mask,
        features: tuple[Array, Array],
        symmetric: bool,
        apart: NDArray[np.intp] | None,
    ) -> tuple[Array, ...]:
        likeness = self.features[int(symmetric)] @ features[int(symmetric)]
        if apart is not None:
            likeness[apart] = -np.inf
        count = min(self.retrieved, int(np.isfinite(likeness).sum()))
        if not count:
            raise NotEnoughScans(
                f"Expected healthy scans of other groups to compare a scan with; the atlas holds "
                f"{len(self)}, all of its own group."
            )
        chosen = np.argpartition(-likeness, count - 1)[:count]
        fellows = _ranked(self.scans[chosen], symmetric)
        count = fellows.shape[-1]
        middle = fellows[..., count // 2]
        median, low, high, spread = (
            _unfolded(layer)
            for layer in (
                middle,
                fellows[..., round(LOW * (count - 1))],
                fellows[..., round(HIGH * (count - 1))],
                _median(np.abs(fellows - middle[..., None])),
            )
        )
        gain = _gain(scan, median, brain)
        level = scan / gain
        unit = 1.5 * spread + FLOOR
        brighter = np.maximum(level - np.maximum(median, high), 0) / unit * brain
        darker = np.maximum(np.minimum(median, low) - level, 0) / unit * brain
        return (
            median * gain,
            spread * gain,
            brighter,
            darker,
            self._sides(scan / gain, brain, chosen, symmetric),
        )

    def _sides(self, scan: Image, brain: Mask, chosen: NDArray[np.intp], symmetric: bool) -> Array:
        if not symmetric:
            return np.zeros_like(scan)
        ranked = _ranked(self._asymmetries[chosen], mirrored=True)
        usual = _unfolded(ranked[..., round(0.6 * (ranked.shape[-1] - 1))])
        own = _asymmetry(scan[None])[0]
        return np.asarray(own / (usual + ASYMMETRY_FLOOR) * brain * brain[:, ::-1], np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the bank, for a detector's state."""
        return {
            "atlas_scans": self.scans,
            "atlas_features": self.features,
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, NDArray[Any]], retrieved: int) -> Self:
        """Rebuild the bank; raise KeyError where a part is missing, ValueError where it has another shape."""
        scans, features = arrays["atlas_scans"], arrays["atlas_features"]
        count = len(scans)
        if scans.shape != (count, SIDE, SIDE) or features.shape != (2, count, FEATURES**2) or not count:
            raise ValueError(f"expected an atlas of {count} scans, received arrays of other shapes")
        return cls(scans, features, retrieved)


def kept_places(count: int, seed: int) -> NDArray[np.intp]:
    """Return which of so many healthy scans a bank holds, in order: all, or MOST drawn at random."""
    return np.sort(np.random.default_rng((seed, 29)).permutation(count)[:MOST])


def departure(expected: Expected, dark: float = 0.0) -> Array:
    """Return how far scans depart from their atlases, (N, SIDE, SIDE): the geometric mean of two views.

    Brightness beyond the retrieved scans, and beyond the other side of the head; the first alone where a
    scan is not symmetric. Darkness counts by the weight `dark`.
    """
    symmetric = expected.asymmetry.any((1, 2), keepdims=True)
    bright = np.where(
        symmetric, np.sqrt(expected.brighter * np.maximum(expected.asymmetry, 0)), expected.brighter
    )
    found = bright
    if dark:
        dim = np.sqrt(expected.darker * np.maximum(-expected.asymmetry, 0))
        found = np.maximum(bright, np.float32(dark) * np.where(symmetric, dim, expected.darker))
    return np.asarray(ndimage.gaussian_filter(found, (0, 0.65, 0.65)), np.float32)


def reduced(stack: Image, side: int) -> Image:
    """Average (N, S, S) over squares down to (N, side, side); interpolate where S is no multiple of side."""
    if stack.shape[-1] % side:
        stack = enlarged(stack, side * 4)
    return averaged(stack, stack.shape[-1] // side)


def enlarged(stack: Image, size: int) -> Image:
    """Interpolate (N, s, s) linearly to (N, size, size)."""
    matrix = resampling(stack.shape[-1], size)
    return np.asarray(matrix @ stack @ matrix.T, np.float32)


def _ranked(scans: NDArray[np.float16], mirrored: bool) -> Array:
    """Return what scans (n, SIDE, SIDE) show at each place, in order, (SIDE, SIDE, n).

    With their mirror images as well both sides are alike: then (SIDE, SIDE / 2, 2 n), of the left one alone.
    """
    values, half = widened(scans), SIDE // 2
    if mirrored:
        values = np.concatenate([values[:, :, :half], values[:, :, : half - 1 : -1]])
    ordered = np.ascontiguousarray(values.transpose(1, 2, 0))
    ordered.sort(axis=-1)
    return ordered


def _unfolded(layer: Array) -> Array:
    """Return a layer (SIDE, SIDE), its left half being given where both are alike."""
    return layer if layer.shape[1] == SIDE else np.concatenate([layer, layer[:, ::-1]], axis=1)


def _median(values: Array) -> Array:
    """Return the median along the last axis; sorting is several times as fast as numpy's median."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    low, high = ordered[..., (count - 1) // 2], ordered[..., count // 2]
    return np.asarray((low + high) / 2, np.float32)


def _smoothed(small: Array) -> Array:
    return np.asarray(ndimage.gaussian_filter(small, (0, SMOOTH / 2, SMOOTH / 2)), np.float32)


def _asymmetry(scans: Array) -> Array:
    mirrored = ndimage.gaussian_filter(scans[:, :, ::-1], (0, MIRROR_SMOOTH / 2, MIRROR_SMOOTH / 2))
    return np.asarray(scans - mirrored, np.float32)


def _gain(scan: Image, median: Image, brain: Mask) -> float:
    if not brain.any():
        return 1.0
    return float(np.clip(np.median(scan[brain] / np.maximum(median[brain], 0.1)), 0.2, 5))


def _features(small: Array) -> tuple[Array, Array, Array]:
    """Return unit vectors of scans (N, D), the same folded at the mid-line, and how symmetric they are (N,).

    Folding keeps the darker of both sides, so that a bright lesion on one changes nothing.
    """
    coarse, dull = _coarse(small, BRIGHTEST), _coarse(small, BRIGHTEST_SIDE)
    folded = np.minimum(coarse, coarse[:, :, ::-1])
    return _unit(coarse), _unit(folded), (_unit(dull) * _unit(dull[:, :, ::-1])).sum(axis=1)


def _coarse(small: Array, brightest: float) -> Array:
    soft = ndimage.gaussian_filter(np.minimum(small, np.float32(brightest)), (0, 1.3, 1.3))
    return reduced(np.asarray(soft, np.float32), FEATURES)


def _unit(coarse: Array) -> Array:
    flat = coarse.reshape(len(coarse), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6), np.float32)
