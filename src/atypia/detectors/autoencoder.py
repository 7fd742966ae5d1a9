"""The autoencoder: learns to rebuild healthy scans from a narrow code, and scores what it cannot rebuild."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
import onnxruntime

from atypia.cache import cache_folder
from atypia.detectors.base import Batch, Detector, FitContext, PreparedSet, Scores, State
from atypia.detectors.examples import EncodedExamples, PixelExamples, Views
from atypia.encoders import Encoder, deepest_cut, load_encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.networks.recipe import RECIPES, Recipe
from atypia.networks.whitening import Whitening

FEWEST = 16
CELLS_PER_SCAN = 40
NETWORK = "network"
ENCODER = "encoder"


@final
class Autoencoder(Detector):
    """A reconstructing network after a recipe; `reference` is the published system.

    Score and map are computed inside the exported graph (see `atypia.networks.scoring`): `mse` as the
    reference has it, or the error relative to the scan's variance, 1 - SSIM, or the cosine distance
    between the whitened features of the encoder and those that the code lets one expect.
    """

    name: ClassVar[str] = "autoencoder"

    def __init__(
        self, recipe: Recipe = RECIPES["autoencoder"], weights: Path | None = None, threads: int | None = None
    ) -> None:
        self.recipe, self.weights, self.threads = recipe, weights, threads
        self.encoder_: Encoder | None = None
        self.graph_: bytes = b""
        self.history_: list[dict[str, float]] = []

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Train on healthy scans; raise NotEnoughScans, MissingExtra or TrainingDiverged."""
        from atypia.networks import export, network, reconstructor, scoring, training

        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"An autoencoder needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        recipe, seed = self.recipe, context.seed
        encoder = self._load_encoder()
        views = Views(healthy, context.work / "views", recipe.augment, seed)
        shapes = [
            (views.size // s, views.size // s, c)
            for s, c in zip(encoder.strides, encoder.channels, strict=True)
        ]
        encoded = EncodedExamples(views, encoder, FeatureCache(cache_folder("features")))
        whitening = []
        if recipe.whiten:
            encoded.encode_all()
            cells = encoded.sample_cells(CELLS_PER_SCAN, seed)
            whitening = [Whitening.learn(rows, recipe.whiten) for rows in cells]
        features, front = self._front(encoder, views.size)
        net = network.build(recipe, shapes, views.size, whitening, seed, features)
        inputs = front or net.features
        model = reconstructor.make_reconstructor(net, recipe, inputs)
        examples = PixelExamples(views) if recipe.fine_tune else encoded
        if not recipe.fine_tune:
            encoded.encode_all()
        plan = training.Plan(recipe, seed, context.work / "checkpoint.npz", context.resume)
        self.history_ = training.train(model, examples, plan, self._mixed(context, encoder))
        scorer = scoring.make_scorer(net, recipe, inputs, views.size, front[0] if front else None)
        names = ["pixels"] if front else [f"features_{i}" for i in range(len(shapes))] + ["pixels"]
        self.graph_ = export.to_onnx(scorer, [*names, "foreground"])
        self.encoder_ = None if recipe.fine_tune else encoder
        self.__dict__.pop("_session", None)
        return self

    def _load_encoder(self) -> Encoder:
        name = self.recipe.encoder
        cut = self.recipe.cut or deepest_cut(name, self.weights, self.recipe.scales)
        return load_encoder(name, cut=cut, weights=self.weights, threads=self.threads)

    def _front(self, encoder: Encoder, size: int) -> tuple[list[Any] | None, list[Any] | None]:
        """Return the features and the input of an encoder that is trained as well; None for a frozen one."""
        if not self.recipe.fine_tune:
            return None, None
        if encoder.name != "resnet50":
            raise BadOption(f"Only the encoder resnet50 can be fine-tuned; received {encoder.name}.")
        from atypia.encoders.resnet50 import keras_encoder

        model = keras_encoder(self.weights, encoder.cut, size)
        outputs = model.output if isinstance(model.output, list) else [model.output]
        return outputs, [model.input]

    def _mixed(self, context: FitContext, encoder: Encoder) -> EncodedExamples | PixelExamples | None:
        if context.labelled is None:
            return None
        views = Views(context.labelled[0], context.work / "mixed", 0, context.seed)
        if self.recipe.fine_tune:
            return PixelExamples(views)
        return EncodedExamples(views, encoder, FeatureCache(cache_folder("features")))

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; the units are those of the recipe's error."""
        feed: dict[str, Any] = {"pixels": batch.pixels, "foreground": batch.foreground.astype(np.float32)}
        if self.encoder_ is not None:
            feed |= {f"features_{i}": f for i, f in enumerate(self.encoder_(batch.pixels))}
        wanted = {put.name for put in self._session.get_inputs()}
        outputs = self._session.run(
            ["score", "map", "reconstruction"], {k: v for k, v in feed.items() if k in wanted}
        )
        return Scores(outputs[0].astype(np.float64), outputs[1], outputs[2])

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads or 0
        try:
            return onnxruntime.InferenceSession(self.graph_, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class.
            raise CorruptArtefact(f"The autoencoder's graph is not a usable ONNX model: {error}") from error

    def state(self) -> State:
        """Return the recipe, the history and the graphs."""
        graphs = {NETWORK: self.graph_}
        encoder = None
        if self.encoder_ is not None:
            graphs[ENCODER], encoder = self.encoder_.graph, self.encoder_.to_dict()
        parameters = {"recipe": self.recipe.to_dict(), "encoder": encoder, "history": self.history_}
        return State(parameters, graphs=graphs)

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            self = cls(Recipe.from_dict(state.parameters["recipe"]), threads=threads)
            self.graph_, self.history_ = state.graphs[NETWORK], state.parameters["history"]
            if (stored := state.parameters["encoder"]) is not None:
                self.encoder_ = Encoder.from_dict(stored, state.graphs[ENCODER], threads=threads)
        except (KeyError, TypeError) as error:
            raise CorruptArtefact(f"The saved autoencoder lacks a part: {error}.") from error
        return self
