"""Cells: whitened, locally averaged features of a frozen encoder, all layers on its finest grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.heat import resampling
from atypia.networks.whitening import Whitening

Array = NDArray[np.float32]
PER_SCAN = 40
# "Locally aware": each cell is the mean of its 3x3 neighbourhood (Roth et al. 2022, section 3.1).
WINDOW = 3


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """From the maps of an encoder, one (N, g, g, C) for each layer, to unit vectors (N, G, G, D).

    Each layer is whitened among healthy cells, averaged over 3x3 cells and interpolated to the finest grid;
    then each has length 1, and all together too, so that a product of two cells is their mean cosine.
    """

    whitenings: tuple[Whitening, ...]

    @classmethod
    def learn(cls, examples: EncodedExamples, components: int, seed: int) -> Self:
        """Learn the whitening of each layer, to at most `components` directions."""
        rows = examples.sample_cells(PER_SCAN, seed)
        return cls(tuple(Whitening.learn(layer, components) for layer in rows))

    def __call__(self, maps: list[Array]) -> Array:
        """Return the cells of these maps."""
        grid = max(layer.shape[1] for layer in maps)
        layers = [_placed(whiten(layer), grid) for whiten, layer in zip(self.whitenings, maps, strict=True)]
        return unit(np.concatenate([unit(layer) for layer in layers], axis=-1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays by name."""
        named: dict[str, NDArray[Any]] = {}
        for i, whitening in enumerate(self.whitenings):
            named |= {f"layer{i}_mean": whitening.mean, f"layer{i}_matrix": whitening.matrix}
        return named

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], layers: int) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(
            tuple(Whitening(arrays[f"layer{i}_mean"], arrays[f"layer{i}_matrix"]) for i in range(layers))
        )


def unit(vectors: Array) -> Array:
    """Return vectors (..., D) of length 1; one without length stays near 0."""
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6), np.float32)


def widened(halves: NDArray[np.float16]) -> Array:
    """Return finite float16 values as float32, exactly, several times as fast as numpy's own conversion.

    Sign, exponent and fraction are shifted to where float32 has them, and 2**112 makes up for the other bias.
    """
    bits = halves.view(np.int16).astype(np.int32, order="C")
    bits <<= 13
    bits &= np.int32(~0x70000000)  # the copies of the sign beside it
    values = bits.view(np.float32)
    values *= np.float32(2.0**112)
    return values


def _placed(layer: Array, grid: int) -> Array:
    """Average (N, g, g, K) over the window and interpolate to (N, grid, grid, K), side by side."""
    n, own, _, channels = layer.shape
    matrix = resampling(own, grid, WINDOW)
    rows = (matrix @ layer.reshape(n, own, own * channels)).reshape(n, grid, own, channels)
    return np.asarray(matrix @ rows)
