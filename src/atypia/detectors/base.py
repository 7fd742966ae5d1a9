"""What every detector is: it fits healthy scans and scores any scan, and it decides nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.scan import Image


@dataclass(frozen=True, eq=False)
class Scores:
    """Raw scores: `image` float64 (N,), `map` float32 (N, S, S); higher is more abnormal, always.

    `reconstruction` float32 (N, S, S) is what the detector expected, where it has such a picture.
    """

    image: NDArray[np.float64]
    map: Image
    reconstruction: Image | None = None


@dataclass(frozen=True, eq=False)
class State:
    """All that a fitted detector is, as data: JSON parameters, arrays and ONNX graphs."""

    parameters: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    graphs: dict[str, bytes] = field(default_factory=dict)


class Detector(ABC):
    """Learns from healthy scans alone; scores in raw units, never rescaled per image."""

    name: ClassVar[str]
    threads: int | None = None
    """In how many threads its network runs, where that is bound."""

    @abstractmethod
    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Learn from healthy scans; raise NotEnoughScans where they are too few."""

    @abstractmethod
    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; raise BadOption before a fit."""

    @abstractmethod
    def state(self) -> State:
        """Return all that `from_state` needs to score alike; raise BadOption before a fit."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild a fitted detector; raise CorruptArtefact where a part is missing."""

    def with_threads(self, threads: int | None) -> Self:
        """Return one that scores alike with its network in so many threads; raise BadOption before a fit."""
        return type(self).from_state(self.state(), threads)
