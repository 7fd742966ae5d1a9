"""A network that comes with Atypia and has learned from synthetic heads alone: no healthy scan is needed."""

from __future__ import annotations

from typing import ClassVar, Self, final

import numpy as np
from scipy import ndimage

from atypia.artefact import read_artefact
from atypia.detectors.base import Scores
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.healthy_atlas import enlarged, reduced
from atypia.detectors.heat import highest
from atypia.detectors.lesion_channels import scan_channels
from atypia.detectors.network_detector import FEWEST, NETWORK, NetworkDetector, Trained, check_settings
from atypia.errors import NotEnoughScans
from atypia.pretrained import pretrained_path

SURE = 12.0
"""Evidence beyond this is certainty."""


@final
class PretrainedSynthetic(NetworkDetector):
    """A U-Net that has learned to mark simulated lesions in synthetic heads of any contrast.

    Its heads are those of `atypia.datasets.phantom.random_contrast`, its lesions those of `atypia.lesions`;
    learning from what is drawn far beyond realism, to be at home in what is real, is Billot et al.,
    "SynthSeg: segmentation of brain MRI scans of any contrast and resolution without retraining", Medical Image
    Analysis 86 (2023) 102789. `fit` learns nothing; what is fitted on healthy scans is the threshold alone.
    Map: the network's evidence, log p/(1-p), smoothed by a Gaussian of `smoothing` pixels, cut to +-12 and
    raised by 12. Score: the mean of the map's highest share `top` inside the brain.
    `graph` is another network than the one that comes with Atypia.
    """

    name: ClassVar[str] = "pretrained-synthetic"
    settings: ClassVar[tuple[str, ...]] = ("smoothing", "top")

    def __init__(
        self,
        threads: int | None = None,
        graph: bytes | None = None,
        smoothing: float = 2.0,
        top: float = 0.003,
    ) -> None:
        self.threads, self.smoothing, self.top = threads, smoothing, top
        self._graph = graph
        check_settings(self, {"smoothing": 0}, ("top",))

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Take the network that comes with Atypia; raise NotEnoughScans below 10 scans."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector '{self.name}' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        self._trained = self._train(healthy, context)
        self.__dict__.pop("_session", None)
        return self

    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        del healthy, context
        graph = self._graph or read_artefact(pretrained_path("synthetic")).graphs[NETWORK]
        return Trained(graph, [])

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans of any size; the network sees them on a grid of its own."""
        self._demand_trained()
        size, side = batch.pixels.shape[-1], int(self._session.get_inputs()[0].shape[1])
        tissue, brain = reduced(batch.tissue, side), reduced(batch.brain.astype(np.float32), side) > 0.5
        evidence = np.clip(self._run({"channels": scan_channels(tissue)})[0], -SURE, SURE)
        evidence = ndimage.gaussian_filter(evidence, (0, *[self.smoothing * side / size] * 2)) + np.float32(SURE)
        head = reduced(batch.foreground.astype(np.float32), side) > 0.5
        scores = highest(evidence, brain if brain.any() else head, self.top)
        return Scores(scores, np.asarray(enlarged(evidence, size) * batch.foreground, np.float32))
