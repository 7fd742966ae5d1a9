"""Prepared scans as detectors read them: some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image, Mask


@dataclass(frozen=True, eq=False)
class Batch:
    """Prepared scans: `pixels` float32 (N, S, S) in [0, 1] and `foreground` bool (N, S, S)."""

    pixels: Image
    foreground: Mask

    def __len__(self) -> int:
        return len(self.pixels)


class PreparedSet(Protocol):
    """Prepared scans on disk or in memory, read by index so that memory does not grow with their number."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the prepared scans at these places, in this order."""


def batches(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices 0..count-1 in order, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
