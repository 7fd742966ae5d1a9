"""Asymmetry: how much brighter one side of the head is than the other."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from atypia.detectors.bank_detector import BankDetector
from atypia.detectors.base import Scores
from atypia.detectors.batch import Batch
from atypia.detectors.healthy_atlas import SIDE, enlarged, reduced
from atypia.detectors.heat import highest


@final
class Asymmetry(BankDetector):
    """Left-right asymmetry, in units of what is usual among the `retrieved` most alike healthy scans.

    A baseline: it sees nothing in a scan that is not symmetric itself, as sagittal slices are not, and no
    lesion in the middle. Map: the brightness beyond the mirrored side. Score: the mean of the map's highest
    share `top` inside the brain.
    """

    name: ClassVar[str] = "asymmetry"

    def __init__(self, threads: int | None = None, retrieved: int = 20, top: float = 0.01) -> None:
        super().__init__(threads=threads, retrieved=retrieved, top=top)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; 0 where both sides are alike."""
        found = np.maximum(self._atlas.expect(batch).asymmetry, 0)
        brain = reduced(batch.brain.astype(np.float32), SIDE) > 0.5
        heat = enlarged(found, batch.pixels.shape[-1]) * batch.foreground
        return Scores(highest(found, brain, self.settings["top"]), heat)
