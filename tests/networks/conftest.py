"""Small networks, built, trained for a step and exported once each."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from atypia.networks.export import to_onnx
from atypia.networks.network import Network, build
from atypia.networks.recipe import Recipe
from atypia.networks.reconstructor import make_reconstructor
from atypia.networks.scoring import make_scorer
from atypia.networks.whitening import Whitening

SIZE, COUNT, COMPONENTS = 64, 5, 3
SHAPES = [(8, 8, 6), (4, 4, 10)]


@dataclass(frozen=True, eq=False)
class Small:
    """A small network with data for it: features, pixels and foreground."""

    recipe: Recipe
    network: Network
    model: Any
    features: list[np.ndarray]
    pixels: np.ndarray
    foreground: np.ndarray
    whitening: list[Whitening]

    def step(self) -> dict[str, float]:
        """Train on all of the data once."""
        self.model.reset_metrics()
        return self.model.train_on_batch(self.features, self.pixels, return_dict=True)

    @property
    def feed(self) -> dict[str, np.ndarray]:
        """What the scorer is given, by name."""
        named = {f"features_{place}": maps for place, maps in enumerate(self.features)}
        return named | {"pixels": self.pixels, "foreground": self.foreground.astype(np.float32)}

    def scorer(self) -> Any:
        return make_scorer(self.network, self.recipe, self.network.features, SIZE)

    def predicted(self) -> list[np.ndarray]:
        """Return score, map and reconstruction as Keras computes them."""
        return [np.asarray(array) for array in self.scorer()(list(self.feed.values()), training=False)]

    def exported(self) -> list[np.ndarray]:
        """Return the same as ONNX Runtime computes them."""
        return _run(self.exported_graph(), self.feed)

    def exported_graph(self) -> bytes:
        """Return the graph that scores."""
        return to_onnx(self.scorer())


def _run(graph: bytes, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    wanted = {put.name for put in session.get_inputs()}
    given = {name: values for name, values in feed.items() if name in wanted}
    return session.run(["score", "map", "reconstruction"], given)


def shrink(recipe: Recipe) -> Recipe:
    """Return a recipe with the same parts, each as small as can be."""
    code = tuple(min(width, 4 + place) for place, width in enumerate(recipe.code))
    return replace(
        recipe, whiten=recipe.whiten and COMPONENTS, code=code, decoder=(6, 6, 4, 4), kl_weight=0.1
    )


@pytest.fixture(scope="session")
def small(draw_heads) -> Callable[..., Small]:
    """`small(recipe, seed=0)` builds a shrunken network; equal arguments, equal networks."""

    def make(recipe: Recipe, seed: int = 0) -> Small:
        recipe = shrink(recipe)
        rng = np.random.default_rng(1)
        shapes = SHAPES[-recipe.scales :]
        features = [rng.gamma(1, 1, (COUNT, *shape)).astype(np.float32) for shape in shapes]
        pixels, foreground = draw_heads(COUNT, SIZE)
        rows = [maps.reshape(-1, maps.shape[-1]) for maps in features]
        whitening = [Whitening.learn(row, COMPONENTS) for row in rows] if recipe.whiten else []
        network = build(recipe, shapes, SIZE, whitening, seed)
        model = make_reconstructor(network, recipe, network.features)
        return Small(recipe, network, model, features, pixels, foreground, whitening)

    return make


@pytest.fixture(scope="session")
def run_onnx() -> Callable[[bytes, dict[str, np.ndarray]], list[np.ndarray]]:
    """Return score, map and reconstruction of a graph."""
    return _run


@pytest.fixture(scope="session")
def stand_in() -> ModuleType:
    """The module `stand_in.py` beside this file."""
    path = Path(__file__).with_name("stand_in.py")
    spec = importlib.util.spec_from_file_location("stand_in", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["stand_in"] = module
    spec.loader.exec_module(module)
    return module
