"""Atlas: how far a scan departs from the most alike healthy scans, place by place; nothing is trained."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from atypia.detectors.bank_detector import BankDetector
from atypia.detectors.base import Scores
from atypia.detectors.batch import Batch
from atypia.detectors.healthy_atlas import SIDE, departure, enlarged, reduced
from atypia.detectors.heat import highest


@final
class Atlas(BankDetector):
    """Departure from an atlas of retrieved healthy scans, and from the scan's own other side.

    Map: the geometric mean of the brightness beyond what the `retrieved` most alike healthy scans show, in
    units of their spread, and of that beyond the mirrored side, in units of what is usual among them; the
    first alone where a scan is not symmetric. With `dark`, where it is darker than they are counts as well,
    by this weight. Score: the mean of the map's highest share `top` inside the brain. See `HealthyAtlas`.
    """

    name: ClassVar[str] = "atlas"

    def __init__(
        self, threads: int | None = None, retrieved: int = 20, dark: float = 0.0, top: float = 0.01
    ) -> None:
        super().__init__(threads=threads, retrieved=retrieved, top=top, dark=dark)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; 0 where nothing departs."""
        found = departure(self._atlas.expect(batch), self.settings["dark"])
        brain = reduced(batch.brain.astype(np.float32), SIDE) > 0.5
        heat = enlarged(found, batch.pixels.shape[-1]) * batch.foreground
        return Scores(highest(found, brain, self.settings["top"]), heat)
