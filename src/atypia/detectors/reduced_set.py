"""A prepared set on a smaller grid, made as it is read."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.healthy_atlas import reduced


@final
class ReducedSet:
    """A prepared set whose scans are `side` pixels a side, their brain being their interior."""

    def __init__(self, scans: PreparedSet, side: int) -> None:
        self._scans, self._side = scans, side

    def __len__(self) -> int:
        return len(self._scans)

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the scans at these places, (n, side, side); a pixel is of the head where most of it is."""
        return reduced_batch(self._scans.batch(indices), self._side)


def reduced_batch(batch: Batch, side: int) -> Batch:
    """Return prepared scans on another grid, averaged; heads and brains are where most of a pixel is."""
    head, brain = (reduced(mask.astype(np.float32), side) > 0.5 for mask in (batch.foreground, batch.brain))
    return Batch(reduced(batch.pixels, side), head, brain)
