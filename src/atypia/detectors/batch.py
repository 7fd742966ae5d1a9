"""Prepared scans as detectors read them: some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atypia.preparation.interior import without_rim
from atypia.scan import Image, Mask

BRIGHTEST = 4.0
DARKEST = 0.02


@dataclass(frozen=True, eq=False)
class Batch:
    """Prepared scans: `pixels` float32 (N, S, S) in [0, 1] and `foreground` bool (N, S, S).

    `interior` bool (N, S, S) is the brain without scalp and skull, where the preparation found it.
    """

    pixels: Image
    foreground: Mask
    interior: Mask | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def brain(self) -> Mask:
        """The interior (N, S, S); where none was found the foreground without a rim, or else all of it."""
        if self.interior is not None:
            return self.interior
        return np.stack([without_rim(head) for head in self.foreground])

    @cached_property
    def level(self) -> Image:
        """The median of the pixels in each brain, (N,), at least DARKEST."""
        medians = [
            _median(scan[brain]) if brain.any() else 0.0
            for scan, brain in zip(self.pixels, self.brain, strict=True)
        ]
        return np.maximum(np.array(medians, np.float32), np.float32(DARKEST))

    @cached_property
    def tissue(self) -> Image:
        """The pixels (N, S, S) in units of the brain's median, in [0, BRIGHTEST]: near 1 for most tissue."""
        scale = 1 / self.level
        return np.clip(self.pixels * scale[:, None, None], 0, np.float32(BRIGHTEST))


def _median(values: Image) -> float:
    """Return the median of values (N,); sorting is several times as fast as numpy's selection."""
    ordered = np.sort(values)
    return float((ordered[(values.size - 1) // 2] + ordered[values.size // 2]) / 2)


class PreparedSet(Protocol):
    """Prepared scans on disk or in memory, read by index so that memory does not grow with their number."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the prepared scans at these places, in this order."""


def batches(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices 0..count-1 in order, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
