"""What the detectors that train one network share: fit, export, save and load."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.base import Detector, State
from atypia.detectors.batch import PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.encoders import Encoder
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.networks.export import check_export
from atypia.networks.training import Pace, Plan, pace
from atypia.onnx_session import Session, open_session

FEWEST = 10
NETWORK, ENCODER = "network", "encoder"


@final
@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gave: the ONNX graph that scores, its history by epoch, and the encoder in front."""

    graph: bytes
    history: list[dict[str, float]]
    encoder: Encoder | None = None


class NetworkDetector(Detector):
    """A detector whose network is trained with Keras, once, and scores as an ONNX graph.

    `settings` names the keyword arguments that are saved; each is a number, a word or a tuple of numbers.
    """

    settings: ClassVar[tuple[str, ...]]
    threads: int | None
    steps: int
    batch_size: int
    learning_rate: float

    @abstractmethod
    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        """Train on enough healthy scans."""

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Train on healthy scans; raise NotEnoughScans, BadOption, MissingExtra or TrainingDiverged."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector '{self.name}' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        check_export()
        self._trained = self._train(healthy, context)
        self.__dict__.pop("_session", None)
        return self

    def _plan(self, scans: int, context: FitContext, *, views: int, ahead: int = 1) -> tuple[Pace, Plan]:
        """Return how the steps are made over so many scans, as pace and as plan; see `Plan` for `views`."""
        way = pace(self.steps, scans, self.batch_size)
        plan = Plan(
            settings={"trained": self.name, **self.chosen()},
            seed=context.seed,
            checkpoint=context.work / "checkpoint.npz",
            epochs=way.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            rounds=way.rounds,
            epoch_size=way.epoch_size,
            views=views,
            resume=context.resume,
            ahead=ahead,
            line=context.line,
        )
        return way, plan

    @property
    def history_(self) -> list[dict[str, float]]:
        """The losses of each epoch."""
        return self._demand_trained().history

    def chosen(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        values = {name: getattr(self, name) for name in self.settings}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    def _run(self, feed: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        given = {put.name: feed[put.name] for put in self._session.get_inputs()}
        outputs: list[NDArray[np.float32]] = self._session.run(None, given)
        return outputs

    @cached_property
    def _session(self) -> Session:
        return open_session(self._demand_trained().graph, f"The detector '{self.name}'", self.threads)

    def _demand_trained(self) -> Trained:
        if "_trained" not in self.__dict__:
            raise BadOption(
                f"This detector '{self.name}' has not been fitted: call fit, or load a saved one."
            )
        return self._trained

    def state(self) -> State:
        """Return settings, history and graphs."""
        trained = self._demand_trained()
        parameters: dict[str, Any] = {"settings": self.chosen(), "history": trained.history}
        graphs = {NETWORK: trained.graph}
        if trained.encoder is not None:
            parameters[ENCODER], graphs[ENCODER] = trained.encoder.to_dict(), trained.encoder.graph
        return State(parameters, graphs=graphs)

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing or makes no sense."""
        try:
            given = state.parameters["settings"].items()
            settings = {name: tuple(v) if isinstance(v, list) else v for name, v in given}
            make: Callable[..., Self] = cls
            self = make(threads=threads, **settings)
            encoder = None
            if ENCODER in state.parameters or ENCODER in state.graphs:
                stored, graph = state.parameters[ENCODER], state.graphs[ENCODER]
                encoder = Encoder.from_dict(stored, graph, threads=threads)
            self._trained = Trained(state.graphs[NETWORK], state.parameters["history"], encoder)
        except (KeyError, TypeError, AttributeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector '{cls.name}' cannot be used: {error}.") from error
        return self


def check_settings(detector: object, lowest: Mapping[str, float], shares: tuple[str, ...] = ()) -> None:
    """Raise BadOption where a setting is below its lowest value, or a share is not in (0, 1]."""
    for name, least in lowest.items():
        if not getattr(detector, name) >= least:
            raise BadOption(f"Expected {name} of at least {least}; received {getattr(detector, name)}.")
    for name in shares:
        if not 0 < getattr(detector, name) <= 1:
            raise BadOption(f"Expected {name} in (0, 1]; received {getattr(detector, name)}.")
