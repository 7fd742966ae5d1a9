"""Intensity: how bright a brain is at its brightest; the least that any detector must beat."""

from __future__ import annotations

from typing import ClassVar, Self, final

import numpy as np
from scipy import ndimage

from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.scan import Image, Mask

FEWEST = 10


@final
class Intensity(Detector):
    """Brightness inside the brain, smoothed by a Gaussian of `smoothing` pixels; it learns nothing.

    Map: the smoothed scan in units of the brain's median, 0 outside the brain. Score: its percentile
    `percent` inside. On FLAIR this baseline beats many published detectors: Meissen, Kaissis, Rueckert,
    "Challenging current semi-supervised anomaly segmentation methods for brain MRI", 2021.
    """

    name: ClassVar[str] = "intensity"

    def __init__(self, threads: int | None = None, smoothing: float = 3.5, percent: float = 98.0) -> None:
        self.threads, self.smoothing, self.percent = threads, smoothing, percent
        if not smoothing >= 0:
            raise BadOption(f"Expected smoothing of at least 0; received {smoothing}.")
        if not 0 <= percent <= 100:
            raise BadOption(f"Expected percent from 0 to 100; received {percent}.")
        self._fitted = False

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Learn nothing; raise NotEnoughScans below 10 scans."""
        del context
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'intensity' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        self._fitted = True
        return self

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans, near 1 where a brain is of one brightness."""
        self._demand_fitted()
        soft = ndimage.gaussian_filter(batch.tissue, (0, self.smoothing, self.smoothing))
        scores = [self._score(heat, brain) for heat, brain in zip(soft, batch.brain, strict=True)]
        return Scores(np.array(scores), np.asarray(soft * batch.brain * batch.foreground, np.float32))

    def _score(self, heat: Image, brain: Mask) -> float:
        return float(np.percentile(heat[brain] if brain.any() else heat, self.percent))

    def _demand_fitted(self) -> None:
        if not self._fitted:
            raise BadOption("This detector 'intensity' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return the settings."""
        self._demand_fitted()
        return State({"settings": {"smoothing": self.smoothing, "percent": self.percent}})

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            self = cls(threads=threads, **state.parameters["settings"])
        except (KeyError, TypeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'intensity' cannot be used: {error}.") from error
        self._fitted = True
        return self
