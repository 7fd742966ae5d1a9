"""Whitening: features as their principal directions, each scaled to unit variance among healthy scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Whitening:
    """Principal directions of features: `mean` (C,) and `matrix` (C, K); what comes out has unit variance."""

    mean: Rows
    matrix: Rows

    @classmethod
    def learn(cls, features: Rows, components: int) -> Self:
        """Learn from rows (N, C) of healthy features; K is at most min(N - 1, C)."""
        mean = features.mean(axis=0)
        variance, directions = _principal(features - mean)
        kept = np.argsort(variance)[::-1][: min(components, len(features) - 1)]
        scale = np.sqrt(np.maximum(variance[kept], 1e-8))
        return cls(mean.astype(np.float32), (directions[:, kept] / scale).astype(np.float32))

    def __call__(self, features: Rows) -> Rows:
        """Project (..., C) to (..., K)."""
        return np.asarray((features - self.mean) @ self.matrix, dtype=np.float32)


def _principal(centred: Rows) -> tuple[Rows, Rows]:
    """Return the variances and the directions (C, K) of centred rows (N, C), whichever way is shorter.

    Covariance between channels and Gram matrix between rows have the same eigenvalues.
    """
    rows, channels = centred.shape
    if rows >= channels:
        variance, directions = np.linalg.eigh(centred.T @ centred / rows)
        return variance, directions
    _, weights = np.linalg.eigh(centred @ centred.T / rows)
    spread = centred.T @ weights
    lengths = np.linalg.norm(spread, axis=0)
    return lengths**2 / rows, spread / np.maximum(lengths, 1e-12)
