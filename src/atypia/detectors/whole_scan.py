"""Whole scans as vectors: three poolings of a map, each whitened, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.cells import unit
from atypia.detectors.encoded_examples import pool_cells
from atypia.networks.whitening import Whitening

Array = NDArray[np.float32]
KINDS = 3


@final
@dataclass(frozen=True, eq=False)
class WholeScan:
    """From a map (N, g, g, C) to unit vectors (N, E) whose product is the mean cosine of the poolings."""

    whitenings: tuple[Whitening, ...]

    @classmethod
    def learn(cls, pooled: list[Array], components: int) -> Self:
        """Learn from what `poolings` gave of all healthy scans."""
        return cls(tuple(Whitening.learn(kind, components) for kind in pooled))

    def __call__(self, pooled: list[Array]) -> Array:
        """Return the vectors of scans that `poolings` has pooled."""
        kinds = [unit(whiten(kind)) for whiten, kind in zip(self.whitenings, pooled, strict=True)]
        return unit(np.concatenate(kinds, axis=-1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays by name."""
        named: dict[str, NDArray[Any]] = {}
        for i, whitening in enumerate(self.whitenings):
            named |= {f"whole{i}_mean": whitening.mean, f"whole{i}_matrix": whitening.matrix}
        return named

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(
            tuple(Whitening(arrays[f"whole{i}_mean"], arrays[f"whole{i}_matrix"]) for i in range(KINDS))
        )


def poolings(maps: Array) -> list[Array]:
    """Pool (N, g, g, C) in three ways: maximum, mean with deviation, mean of the quarters."""
    n, half, channels = len(maps), maps.shape[1] // 2, maps.shape[-1]
    quarters = pool_cells(maps[:, : 2 * half, : 2 * half], half).reshape(n, 4 * channels)
    return [maps.max((1, 2)), np.concatenate([maps.mean((1, 2)), maps.std((1, 2))], axis=1), quarters]
