"""What every detector is: it fits healthy scans and scores any scan, and it decides nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

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


@dataclass(frozen=True, eq=False)
class Scores:
    """Raw scores: `image` float64 (N,), `map` float32 (N, S, S); higher is more abnormal, always.

    `reconstruction` float32 (N, S, S) is what the detector expected, where it has such a picture.
    """

    image: NDArray[np.float64]
    map: Image
    reconstruction: Image | None = None


class PreparedSet(Protocol):
    """Prepared scans on disk or in memory, read by index so that memory does not grow with their number."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the prepared scans at these places, in this order."""


@dataclass(frozen=True)
class FitContext:
    """Where and how a fit runs: `work` holds its caches and checkpoints and outlives a kill."""

    work: Path
    seed: int = 0
    resume: bool = False
    labelled: tuple[PreparedSet, NDArray[np.bool_]] | None = None
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class State:
    """All that a fitted detector is, as data: JSON parameters, arrays and ONNX graphs."""

    parameters: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    graphs: dict[str, bytes] = field(default_factory=dict)


class Detector(ABC):
    """Learns from healthy scans alone; scores in raw units, never rescaled per image."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Learn from healthy scans; raise NotEnoughScans where they are too few."""

    @abstractmethod
    def score(self, batch: Batch) -> Scores:
        """Score prepared scans."""

    @abstractmethod
    def state(self) -> State:
        """Return all that `from_state` needs to score alike."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild a fitted detector; raise CorruptArtefact where a part is missing."""


def batches(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices 0..count-1 in order, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
