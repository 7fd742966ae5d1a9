"""Whitening: features as their principal directions, each scaled to unit variance among healthy scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Whitening:
    """Principal directions of features: `mean` (C,) and `matrix` (C, K); what comes out has unit variance."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @classmethod
    def learn(cls, features: NDArray[np.float32], components: int) -> Self:
        """Learn from rows (N, C) of healthy features; K is at most min(N - 1, C)."""
        mean = features.mean(axis=0)
        centred = features - mean
        variance, directions = np.linalg.eigh(centred.T @ centred / len(features))
        kept = np.argsort(variance)[::-1][: min(components, len(features) - 1)]
        scale = np.sqrt(np.maximum(variance[kept], 1e-8))
        return cls(mean.astype(np.float32), (directions[:, kept] / scale).astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project (..., C) to (..., K)."""
        return np.asarray((features - self.mean) @ self.matrix, dtype=np.float32)
