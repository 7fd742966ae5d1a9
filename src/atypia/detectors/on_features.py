"""How a student of a frozen encoder comes to be and scores: what the detectors on features have in common."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np

from atypia.cache import cache_folder
from atypia.detectors.base import Scores
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.fit_context import FitContext
from atypia.detectors.heat import highest
from atypia.detectors.network_detector import NetworkDetector, Trained, check_settings
from atypia.detectors.views import Views
from atypia.encoders import deepest_cut, load_encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.errors import BadOption
from atypia.networks.export import to_onnx
from atypia.networks.feature_students import OUTPUTS, Shape, Student, make_feature_scorer, make_learner
from atypia.networks.optimizer import one_cycle
from atypia.networks.training import train
from atypia.networks.whitening import Whitening

CELLS_PER_SCAN = 40


class FeatureDetector(NetworkDetector):
    """A network that learns to give back what a frozen encoder says of healthy scans, and fails on others.

    It rebuilds the `whiten` principal directions of each of the encoder's `scales` deepest layers, scaled to
    unit variance among healthy scans (our choice; 0: the features as they are).
    Map: what it fails by, interpolated to pixels, smoothed by a Gaussian of `smoothing` of them, 0 outside
    the head. Score: the mean of the highest share `top` of the map inside the brain.
    `augment` altered copies of each scan are learned from as well.
    """

    encoder: str
    weights: Path | None
    scales: int
    whiten: int
    augment: int
    steps: int
    batch_size: int
    learning_rate: float
    smoothing: float
    top: float

    def _check_training(self) -> None:
        lowest = {"scales": 1, "whiten": 0, "augment": 0, "steps": 1, "batch_size": 1, "smoothing": 0}
        check_settings(self, lowest, ("top",))
        if not self.learning_rate > 0:
            raise BadOption(f"Expected learning_rate above 0; received {self.learning_rate}.")

    @abstractmethod
    def _student(self, shapes: list[Shape], whitening: list[Whitening], seed: int) -> Student:
        """Build the network for features of these (height, width, channels)."""

    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        cut = deepest_cut(self.encoder, self.weights, self.scales)
        encoder = load_encoder(self.encoder, cut=cut, weights=self.weights, threads=self.threads)
        views = Views(healthy, context.work / "views", self.augment, context.seed)
        examples = EncodedExamples(views, encoder, FeatureCache(cache_folder("features")))
        examples.encode_all()
        shapes = [
            (views.size // s, views.size // s, c)
            for s, c in zip(encoder.strides, encoder.channels, strict=True)
        ]
        student = self._student(shapes, self._whitening(examples, context.seed), context.seed)
        way, plan = self._plan(len(examples), context, views=self.augment + 1)
        history = train(make_learner(student, one_cycle(self.learning_rate, way.steps)), examples, plan)
        graph = to_onnx(make_feature_scorer(student, views.size, self.smoothing), OUTPUTS)
        return Trained(graph, history, encoder)

    def _whitening(self, examples: EncodedExamples, seed: int) -> list[Whitening]:
        if not self.whiten:
            return []
        cells = examples.sample_cells(CELLS_PER_SCAN, seed)
        return [Whitening.learn(rows, min(self.whiten, rows.shape[1])) for rows in cells]

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans."""
        encoder = self._demand_trained().encoder
        assert encoder is not None
        feed = {f"features_{i}": maps for i, maps in enumerate(encoder(batch.pixels))}
        (heat,) = self._run(feed)
        heat = np.asarray(heat * batch.foreground, np.float32)
        return Scores(highest(heat, batch.brain, self.top), heat)
