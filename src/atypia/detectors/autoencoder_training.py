"""How an autoencoder comes to be: features once, whitening, network, training, and the graph that scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atypia.cache import cache_folder
from atypia.detectors.batch import PreparedSet
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.fit_context import FitContext
from atypia.detectors.pixel_examples import PixelExamples
from atypia.detectors.views import Views
from atypia.encoders import Encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.encoders.one_grid import on_one_grid
from atypia.encoders.resnet50 import keras_encoder
from atypia.errors import BadOption
from atypia.networks.checkpoint import History
from atypia.networks.export import check_export, to_onnx
from atypia.networks.network import Network, build, check_stages
from atypia.networks.recipe import Recipe
from atypia.networks.reconstructor import make_reconstructor, plan_of
from atypia.networks.scoring import make_scorer
from atypia.networks.training import train
from atypia.networks.whitening import Whitening

CELLS_PER_SCAN = 40

Examples = EncodedExamples | PixelExamples


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gave: the ONNX graph that scores, and the history, one entry for each epoch."""

    graph: bytes
    history: History


def train_autoencoder(
    recipe: Recipe, encoder: Encoder, weights: Path | None, healthy: PreparedSet, context: FitContext
) -> Trained:
    """Train after a recipe on healthy scans.

    Raises BadOption where recipe and scans do not fit each other, MissingExtra, TrainingDiverged.
    """
    check_export()
    views = Views(healthy, context.work / "views", recipe.augment, context.seed)
    front = _front(recipe, encoder, weights, views.size)
    network = _network(recipe, encoder, views, context.seed, front)
    inputs = network.features if front is None else [front.input]
    model = make_reconstructor(network, recipe, inputs)
    examples = _examples(recipe, views, encoder)
    plan = plan_of(recipe, model, context.seed, context.work / "checkpoint.npz", context.resume)
    history = train(model, examples, plan, _mixed(recipe, encoder, context))
    scorer = make_scorer(network, recipe, inputs, views.size, None if front is None else front.input)
    return Trained(to_onnx(scorer), history)


def _front(recipe: Recipe, encoder: Encoder, weights: Path | None, size: int) -> Any | None:
    """Return, as a Keras model, an encoder that is trained as well; None for a frozen one."""
    if not recipe.fine_tune:
        return None
    if encoder.name != "resnet50":
        raise BadOption(f"Only the encoder resnet50 can be fine-tuned; received {encoder.name}.")
    return keras_encoder(weights, encoder.cut, size)


def _network(recipe: Recipe, encoder: Encoder, views: Views, seed: int, front: Any | None) -> Network:
    shapes = [
        (views.size // stride, views.size // stride, channels)
        for stride, channels in zip(encoder.strides, encoder.channels, strict=True)
    ]
    check_stages(recipe, views.size, min(shape[0] for shape in shapes))
    whitening: list[Whitening] = []
    if recipe.whiten:
        # All layers get as many directions as the shallowest has: they are laid side by side.
        kept = min(recipe.whiten, *encoder.channels)
        cells = _encoded(views, on_one_grid(encoder)).sample_cells(CELLS_PER_SCAN, seed)
        whitening = [Whitening.learn(rows, kept) for rows in cells]
    return build(recipe, shapes, views.size, whitening, seed, None if front is None else front.outputs)


def _encoded(views: Views, encoder: Encoder) -> EncodedExamples:
    return EncodedExamples(views, encoder, FeatureCache(cache_folder("features")))


def _examples(recipe: Recipe, views: Views, encoder: Encoder) -> Examples:
    if recipe.fine_tune:
        return PixelExamples(views, encoder)
    encoded = _encoded(views, encoder)
    encoded.encode_all()
    return encoded


def _mixed(recipe: Recipe, encoder: Encoder, context: FitContext) -> Examples | None:
    if context.labelled is None:
        return None
    views = Views(context.labelled, context.work / "mixed", 0, context.seed)
    return _examples(recipe, views, encoder)
