"""Gaussians of healthy features, with covariances shrunk as far as their few samples ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Sums = NDArray[np.float64]
# The least variance, as a share of the mean variance of all places: background alone has none.
FLOOR = 0.02
DIRECTIONS = 128


def shrinkage(covariance: Sums, fourth: Sums, samples: int) -> Sums:
    """Return how far to shrink covariances (..., D, D) towards a multiple of the identity, in [0, 1].

    `fourth` (...) is the mean fourth power of the centred samples' lengths. Ledoit and Wolf, "A
    well-conditioned estimator for large-dimensional covariance matrices", 2004, lemma 3.2 to 3.4.
    """
    width = covariance.shape[-1]
    squared = (covariance**2).sum((-1, -2))
    spread = squared - np.trace(covariance, axis1=-2, axis2=-1) ** 2 / width
    error = np.maximum(fourth - squared, 0) / samples
    return np.asarray(np.clip(error / np.maximum(spread, 1e-30), 0, 1))


@final
@dataclass(frozen=True, eq=False)
class PlaceGaussians:
    """One Gaussian for each cell: `mean` (G, G, D) and `root` float16 (G, G, D, D), of the precision.

    The length of `(cell - mean) @ root` is the Mahalanobis distance divided by the root of D, near 1 for
    healthy cells (PaDiM: Defard et al., "PaDiM: a patch distribution modeling framework for anomaly detection
    and localization", ICPR 2020, equations 1 and 2).
    """

    mean: Array
    root: NDArray[np.float16]

    @classmethod
    def of(cls, mean: Sums, covariance: Sums, fourth: Sums, samples: int) -> Self:
        """Shrink the covariances of all places; a floor keeps those without any variance finite."""
        width = mean.shape[-1]
        eye = np.eye(width)
        level = np.trace(covariance, axis1=-2, axis2=-1) / width
        share = shrinkage(covariance, fourth, samples)[..., None, None]
        shrunk = (1 - share) * covariance + share * level[..., None, None] * eye
        shrunk += max(FLOOR * float(level.mean()), 1e-8) * eye
        root = np.linalg.cholesky(np.linalg.inv(shrunk)) / np.sqrt(width)
        return cls(mean.astype(np.float32), root.astype(np.float16))

    def distances(self, cells: Array, reach: int) -> Array:
        """Return (N, G, G): the distance of each cell (N, G, G, D) to the nearest Gaussian within reach."""
        grid = cells.shape[1]
        root = self.root.astype(np.float32)
        by_place = cells.transpose(1, 2, 0, 3)
        nearest = np.full(by_place.shape[:3], np.inf, np.float32)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                own = _shifted(grid, down), _shifted(grid, right)
                other = _shifted(grid, -down), _shifted(grid, -right)
                centred = by_place[own] - self.mean[other][:, :, None]
                apart = np.linalg.norm(centred @ root[other], axis=-1)
                nearest[own] = np.minimum(nearest[own], apart)
        return nearest.transpose(2, 0, 1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return mean and root by name."""
        return {"place_mean": self.mean, "place_root": self.root}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(arrays["place_mean"], arrays["place_root"])


@final
@dataclass(frozen=True, eq=False)
class WholeGaussian:
    """One Gaussian of whole scans' features, kept as its main directions and one variance for all others.

    `directions` (C, K) have length 1, `weights` (K,) and `rest` (1,) are inverse variances divided by C, so
    that a distance is near 1 for healthy scans.
    """

    mean: Array
    directions: Array
    weights: Array
    rest: Array

    @classmethod
    def learn(cls, features: Array) -> Self:
        """Learn from the rows (N, C) of healthy scans, N at least 2."""
        count, width = features.shape
        mean = features.mean(axis=0)
        centred = (features - mean).astype(np.float64)
        gram = centred @ centred.T / count
        # Gram matrix and covariance share their eigenvalues, and so their traces and lengths.
        squared, trace = float((gram**2).sum()), float(np.trace(gram))
        fourth = float((np.diag(gram) ** 2).mean()) * count**2
        spread = squared - trace**2 / width
        share = min(1.0, max(fourth - squared, 0.0) / count / max(spread, 1e-30))
        variances, weights = np.linalg.eigh(gram)
        kept = np.argsort(variances)[::-1][: min(DIRECTIONS, count - 1, width)]
        directions = centred.T @ weights[:, kept]
        directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-12)
        level = max(trace / width, 1e-12)
        left = max(trace - float(variances[kept].sum()), 0.0) / max(width - len(kept), 1)
        main = (1 - share) * np.maximum(variances[kept], 0) + share * level
        rest = (1 - share) * left + max(share, FLOOR) * level
        parts = (mean, directions, 1 / (main * width), np.array([1 / (rest * width)]))
        return cls(*(part.astype(np.float32) for part in parts))

    def distances(self, features: Array) -> NDArray[np.float64]:
        """Return (N,): the Mahalanobis distances divided by the root of C."""
        centred = features - self.mean
        along = centred @ self.directions
        beside = np.maximum((centred * centred).sum(axis=1) - (along * along).sum(axis=1), 0)
        squared = (along * along) @ self.weights + beside * self.rest[0]
        return np.asarray(np.sqrt(squared), np.float64)

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return all parts by name."""
        return {f"{prefix}_{name}": getattr(self, name) for name in PARTS}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(*(arrays[f"{prefix}_{name}"] for name in PARTS))


PARTS = ("mean", "directions", "weights", "rest")


def _shifted(grid: int, step: int) -> slice:
    """Return the places of a grid whose neighbour `step` further is on it too."""
    return slice(max(0, -step), min(grid, grid - step))
