"""How a restoring network comes to be and scores: what `denoising` and `restoration` have in common."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from atypia.detectors.base import Scores
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.canvases import Canvases
from atypia.detectors.corrupted_examples import Corrupt, CorruptedExamples
from atypia.detectors.fit_context import FitContext
from atypia.detectors.heat import highest
from atypia.detectors.network_detector import NetworkDetector, Trained, check_settings
from atypia.errors import BadOption
from atypia.networks.export import to_onnx
from atypia.networks.optimizer import one_cycle
from atypia.networks.restorer import OUTPUTS, Loss, make_restorer, make_restoring_scorer
from atypia.networks.training import train
from atypia.networks.unet import build_unet

AHEAD = 4


class RestoringDetector(NetworkDetector):
    """A U-Net that takes a corruption out of healthy scans, and out of others what is unlike them.

    Scans are in units of the brain's median and averaged over squares of `reduction` pixels.
    Map: what the network changes, |x - f(x)|, smoothed by a Gaussian of `smoothing` prepared pixels; in
    units of the brain's median. Score: the mean of the highest share `top` of the map inside the brain.
    Reconstruction: the scan with the change added, in the scan's own units, clipped to [0, 1].
    """

    steps: int
    batch_size: int
    learning_rate: float
    widths: tuple[int, ...]
    reduction: int
    smoothing: float
    top: float
    median: int = 0

    def _check_training(self) -> None:
        lowest = {"steps": 1, "batch_size": 1, "reduction": 1, "smoothing": 0, "median": 0}
        check_settings(self, lowest, ("top",))
        if not self.learning_rate > 0:
            raise BadOption(f"Expected learning_rate above 0; received {self.learning_rate}.")
        if not self.widths or min(self.widths) < 1:
            raise BadOption(f"Expected widths above 0; received {self.widths}.")

    def _restorer(
        self,
        healthy: PreparedSet,
        context: FitContext,
        corrupt: Corrupt,
        loss: Loss,
        strengths: tuple[float, ...],
    ) -> Trained:
        """Train a network to undo what `corrupt` does, told the strength where `strengths` are asked for."""
        canvases = Canvases(healthy, context.work / "canvases", self.reduction)
        told = bool(strengths)
        unet = build_unet(canvases.size, 1 + told, 1, self.widths, context.seed)
        way, plan = self._plan(len(canvases), context, views=0, ahead=AHEAD)
        model = make_restorer(unet, one_cycle(self.learning_rate, way.steps), loss)
        history = train(model, CorruptedExamples(canvases, corrupt, told, context.seed), plan)
        scorer = make_restoring_scorer(unet, canvases.full_size, self.reduction, strengths, self.smoothing)
        return Trained(to_onnx(scorer, OUTPUTS), history)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans."""
        heat, change = self._run({"pixels": batch.tissue})
        if self.median:
            heat = np.stack([ndimage.median_filter(each, self.median) for each in heat])
        change, heat = change * batch.foreground, heat * batch.foreground
        healed = np.clip(batch.pixels + change * batch.level[:, None, None], 0, 1)
        return Scores(highest(heat, batch.brain, self.top), heat, healed)
