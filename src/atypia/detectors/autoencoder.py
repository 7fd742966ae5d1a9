"""The autoencoder: learns to rebuild healthy scans from a narrow code, and scores what it cannot rebuild."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.encoders import Encoder, deepest_cut, load_encoder
from atypia.encoders.one_grid import on_one_grid
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.networks.recipe import RECIPES, Recipe
from atypia.onnx_session import Session, open_session

FEWEST = 10
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
        """Train on healthy scans; raise NotEnoughScans, BadOption, MissingExtra or TrainingDiverged."""
        from atypia.detectors.autoencoder_training import train_autoencoder

        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'autoencoder' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        encoder = self._load_encoder()
        trained = train_autoencoder(self.recipe, encoder, self.weights, healthy, context)
        self.graph_, self.history_ = trained.graph, trained.history
        self.encoder_ = None if self.recipe.fine_tune else encoder
        self.__dict__.pop("_session", None)
        return self

    def _load_encoder(self) -> Encoder:
        name = self.recipe.encoder
        cut = self.recipe.cut or deepest_cut(name, self.weights, self.recipe.scales)
        encoder = load_encoder(name, cut=cut, weights=self.weights, threads=self.threads)
        return encoder if self.recipe.fine_tune else on_one_grid(encoder)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; the units are those of the recipe's error."""
        feed: dict[str, Any] = {"pixels": batch.pixels, "foreground": batch.foreground.astype(np.float32)}
        if self.encoder_ is not None:
            feed |= {f"features_{i}": f for i, f in enumerate(self.encoder_(batch.pixels))}
        wanted = {put.name for put in self._session.get_inputs()}
        given = {name: values for name, values in feed.items() if name in wanted}
        image, heat, reconstruction = self._session.run(["score", "map", "reconstruction"], given)
        return Scores(image.astype(np.float64), heat, reconstruction)

    @cached_property
    def _session(self) -> Session:
        self._demand_fitted()
        return open_session(self.graph_, "The autoencoder", self.threads)

    def state(self) -> State:
        """Return the recipe, the history and the graphs."""
        self._demand_fitted()
        graphs = {NETWORK: self.graph_}
        encoder = None
        if self.encoder_ is not None:
            graphs[ENCODER], encoder = self.encoder_.graph, self.encoder_.to_dict()
        parameters = {"recipe": self.recipe.to_dict(), "encoder": encoder, "history": self.history_}
        return State(parameters, graphs=graphs)

    def _demand_fitted(self) -> None:
        if not self.graph_:
            raise BadOption("This autoencoder has not been fitted: call fit, or load a saved one.")

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
