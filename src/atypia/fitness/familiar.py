"""How far a look is from all the looks learned from: a Mahalanobis distance that few scans suffice for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 128
_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Familiar:
    """The centre of what was learned, its directions, and how far healthy scans reach along each.

    `mean` and `scale` float32 (K,) standardise; `directions` float32 (D, K) are orthonormal, `variances`
    float32 (D,) belong to them, and `rest` is the variance of every other direction.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    directions: NDArray[np.float32]
    variances: NDArray[np.float32]
    rest: float

    @classmethod
    def learn(cls, features: NDArray[np.float32]) -> Self:
        """Learn from looks (N, K), N at least 2.

        The covariance of the standardised features is shrunk as in Ledoit and Wolf, "A well-conditioned
        estimator for large-dimensional covariance matrices" (2004), equation 14; of its eigenvalues the
        DIRECTIONS largest are kept, and the others taken as their mean.
        """
        from sklearn.covariance import ledoit_wolf_shrinkage

        mean, scale = features.mean(0), features.std(0)
        scale = np.maximum(scale, max(_FLOOR * float(scale.max()), 1e-6)).astype(np.float32)
        standard = ((features - mean) / scale).astype(np.float64)
        shrinkage = float(ledoit_wolf_shrinkage(standard, assume_centered=True))
        width = standard.shape[1]
        variances, directions = _principal(standard)
        level = max(float(variances.sum()) / width, 1e-6)
        shrunk = (1 - shrinkage) * variances + shrinkage * level
        kept = min(DIRECTIONS, len(shrunk), width - 1)
        others = (shrinkage * level * (width - len(shrunk)) + shrunk[kept:].sum()) / (width - kept)
        return cls(
            mean.astype(np.float32),
            scale,
            directions[:kept].astype(np.float32),
            np.maximum(shrunk[:kept], 1e-6).astype(np.float32),
            max(float(others), 1e-6),
        )

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the root mean squared distance (N,) of looks (N, K), in standard deviations."""
        standard = (features - self.mean) / self.scale
        along = standard @ self.directions.T
        beside = np.maximum((standard**2).sum(1) - (along**2).sum(1), 0)
        squares = (along**2 / self.variances).sum(1) + beside / self.rest
        return np.asarray(np.sqrt(squares / standard.shape[1]), np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `from_arrays` needs."""
        names = ("mean", "scale", "directions", "variances")
        return {**{name: getattr(self, name) for name in names}, "rest": np.array([self.rest])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild; raise KeyError where one is missing, ValueError where their shapes do not fit."""
        made = cls(
            arrays["mean"],
            arrays["scale"],
            arrays["directions"],
            arrays["variances"],
            float(arrays["rest"][0]),
        )
        count, width = made.directions.shape
        if not (made.mean.shape == made.scale.shape == (width,) and made.variances.shape == (count,)):
            raise ValueError("the arrays of the fitness check do not fit together")
        if not all(np.isfinite(array).all() for array in made.arrays().values()):
            raise ValueError("the arrays of the fitness check are not finite")
        return made


def _principal(standard: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances, the largest first, and their directions in rows, from the smaller Gram matrix."""
    count, width = standard.shape
    if count > width:
        values, vectors = np.linalg.eigh(standard.T @ standard / count)
        return np.maximum(values[::-1], 0), vectors[:, ::-1].T
    values, vectors = np.linalg.eigh(standard @ standard.T / count)
    kept = values[::-1] > 1e-9 * values[-1]
    values, vectors = values[::-1][kept], vectors[:, ::-1][:, kept]
    return values, (standard.T @ vectors / np.sqrt(count * values)).T
