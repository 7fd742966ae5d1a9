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
from atypia.scan import Image

SURE = 12.0
"""Evidence beyond this is certainty."""
DARK = 0.1
"""What keeps the logarithm of the darkest finite."""


@final
class PretrainedSynthetic(NetworkDetector):
    """A U-Net that has learned to mark simulated lesions in synthetic heads of any contrast.

    Its heads are those of `atypia.datasets.phantom.random_contrast`, its lesions those of `atypia.lesions`;
    learning from what is drawn far beyond realism, to be at home in what is real, is Billot et al.,
    "SynthSeg: segmentation of brain MRI scans of any contrast and resolution without retraining", Medical
    Image Analysis 86 (2023) 102789. `fit` learns nothing; a Screener fits its threshold alone.
    Map: the network's evidence, log p/(1-p), cut to +-12, the mean of that for the scan and for the scan
    softened by a Gaussian of `softening` cells of its grid, smoothed by one of `smoothing` pixels; plus
    `brightness` times the logarithm of the scan in units of the brain's median, for more lesions are bright
    than dark; raised by 12. Score: the mean of the map's highest share `top` inside the brain.
    `graph` is another network than the one that comes with Atypia.
    """

    name: ClassVar[str] = "pretrained-synthetic"
    settings: ClassVar[tuple[str, ...]] = ("softening", "smoothing", "brightness", "top")

    def __init__(
        self,
        threads: int | None = None,
        graph: bytes | None = None,
        softening: float = 0.8,
        smoothing: float = 2.0,
        brightness: float = 1.0,
        top: float = 0.003,
    ) -> None:
        self.threads, self._graph = threads, graph
        self.softening, self.smoothing = softening, smoothing
        self.brightness, self.top = brightness, top
        check_settings(self, {"softening": 0, "smoothing": 0, "brightness": 0}, ("top",))

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
        evidence = self._evidence(tissue)
        if self.softening:
            soft = ndimage.gaussian_filter(tissue, (0, self.softening, self.softening))
            evidence = np.asarray((evidence + self._evidence(soft)) / 2, np.float32)
        width = self.smoothing * side / size
        evidence = ndimage.gaussian_filter(evidence, (0, width, width))
        if self.brightness:
            smoothed = ndimage.gaussian_filter(tissue, (0, width, width))
            prior = self.brightness * np.log(smoothed + np.float32(DARK))
            evidence = np.asarray(evidence + prior, np.float32)
        heat = np.asarray(np.maximum(evidence + np.float32(SURE), 0), np.float32)
        head = reduced(batch.foreground.astype(np.float32), side) > 0.5
        judged = brain | (head & ~brain.any((1, 2), keepdims=True))
        scores = highest(heat, judged, self.top)
        return Scores(scores, np.asarray(enlarged(heat, size) * batch.foreground, np.float32))

    def _evidence(self, tissue: Image) -> Image:
        """Return the network's evidence (N, h, w) on scans (N, h, w) in units of the brain's median."""
        return np.clip(self._run({"channels": scan_channels(tissue)})[0], -SURE, SURE)
