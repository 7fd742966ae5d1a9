"""The one configurable network: encoder features -> bottleneck -> what a healthy scan would look like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from atypia.errors import BadOption
from atypia.keras_backend import keras
from atypia.networks.acceleration import building, exact
from atypia.networks.normalisation import batch_normalisation
from atypia.networks.recipe import Recipe
from atypia.networks.whitening import Whitening

# Keeps the first steps of a variational network from overflowing.
LOG_VARIANCE = 8.0
# Small sets of scans give few steps: Keras' own 0.99 would still be near its start when training ends.
NORM_MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Network:
    """The parts of the network as Keras tensors, from which the training and the scoring model are made.

    `components` and `expected` are (N, G, G, layers, K), None without whitening or without that loss.
    """

    features: list[Any]
    reconstruction: Any
    components: Any | None
    expected: Any | None
    code_mean: Any
    code_log_variance: Any | None


def check_stages(recipe: Recipe, size: int, grid: int) -> None:
    """Raise BadOption where the decoder's stages do not lead from a grid of features to pictures of `size`.

    Every stage doubles the grid, and some start from the features' own.
    """
    stages = len(recipe.decoder)
    grids = [size // 2 ** (stages - stage) for stage in range(stages)]
    if size % 2**stages:
        raise BadOption(
            f"Expected pictures that {stages} doublings lead to, received {size} pixels. Choose a size that "
            f"is a multiple of {2**stages}, or another number of decoder stages."
        )
    wants_grid = recipe.loss == "features" or recipe.bottleneck == "conv"
    if wants_grid and grid not in grids:
        raise BadOption(
            f"Expected decoder stages that pass the features' grid of {grid}x{grid}, received "
            f"{stages} stages, on grids of {', '.join(map(str, grids))}. Choose more stages."
        )


def build(
    recipe: Recipe,
    shapes: list[tuple[int, int, int]],
    size: int,
    whitening: list[Whitening],
    seed: int,
    features: list[Any] | None = None,
) -> Network:
    """Build the network for features of these (height, width, channels) and pictures of `size` pixels.

    `features` are given where an encoder that is trained as well stands in front; else they are inputs.
    """
    grid = min(shape[0] for shape in shapes)
    if features is None:
        features = [keras().Input(shape, name=f"features_{i}") for i, shape in enumerate(shapes)]
    with building(seed):
        pooled = [_pool(f, shape[0] // grid) for f, shape in zip(features, shapes, strict=True)]
        components = _components(pooled, whitening)
        read = _flat_layers(components, grid) if components is not None else _join(pooled)
        mean, log_variance, code = _bottleneck(recipe, read, seed)
        expected, reconstruction = _decode(recipe, code, size, grid, components)
    return Network(features, reconstruction, components, expected, mean, log_variance)


def _pool(features: Any, factor: int) -> Any:
    return keras().layers.AveragePooling2D(factor, dtype="float32")(features) if factor > 1 else features


def _join(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else keras().layers.Concatenate()(tensors)


def _components(pooled: list[Any], whitening: list[Whitening]) -> Any | None:
    if not whitening:
        return None
    projected = []
    for features, w in zip(pooled, whitening, strict=True):
        project = keras().layers.Dense(w.matrix.shape[1], trainable=False, dtype="float32")
        projected.append(keras().ops.expand_dims(project(features), -2))
        project.set_weights([w.matrix, -w.mean @ w.matrix])
    if len(projected) == 1:
        return projected[0]
    return keras().layers.Concatenate(axis=-2, dtype="float32")(projected)


def _flat_layers(components: Any, grid: int) -> Any:
    return keras().layers.Reshape((grid, grid, components.shape[-1] * components.shape[-2]))(components)


def _normal(recipe: Recipe, x: Any) -> Any:
    x = batch_normalisation(NORM_MOMENTUM)(x) if recipe.batch_norm else x
    return keras().layers.Activation("relu")(x)


def _bottleneck(recipe: Recipe, x: Any, seed: int) -> tuple[Any, Any | None, Any]:
    """Return the code's mean, the logarithm of its variance where it has one, and the code itself."""
    layers = keras().layers
    if recipe.bottleneck == "dense":
        x = layers.Flatten()(x)
    for width in recipe.code[:-1]:
        x = _normal(recipe, _narrow(recipe, width, 3, use_bias=not recipe.batch_norm)(x))
    mean = _narrow(recipe, recipe.code[-1], 1, name="code")(x)
    if recipe.variational:
        spread = _narrow(recipe, recipe.code[-1], 1, name="code_log_variance")(x)
        log_variance = keras().ops.clip(spread, -LOG_VARIANCE, LOG_VARIANCE)
        return exact(mean), exact(log_variance), sampling_class()(seed)([mean, log_variance])
    code = mean if recipe.loss == "features" else layers.Activation("relu")(mean)
    return mean, None, layers.Dropout(recipe.dropout, seed=seed)(code) if recipe.dropout else code


def _narrow(recipe: Recipe, width: int, kernel: int, **options: Any) -> Any:
    """Return a layer of the bottleneck: dense, or a convolution."""
    layers = keras().layers
    if recipe.bottleneck == "dense":
        return layers.Dense(width, **options)
    return layers.Conv2D(width, kernel, padding="same", **options)


@cache
def sampling_class() -> Any:
    """Return the class of the layer that draws a code; a saved network names it Sampling."""
    k = keras()

    class Sampling(k.layers.Layer):  # type: ignore[misc, name-defined]
        """Draw from the code's Gaussian while training; give its mean while scoring."""

        def __init__(self, seed: int, **options: Any) -> None:
            super().__init__(**options)
            self.seed = seed
            self.noise = k.random.SeedGenerator(seed)

        def call(self, inputs: list[Any], training: bool = False) -> Any:
            mean, log_variance = inputs
            if not training:
                return mean
            epsilon = k.random.normal(k.ops.shape(mean), dtype=self.compute_dtype, seed=self.noise)
            return mean + k.ops.exp(0.5 * log_variance) * epsilon

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "seed": self.seed}

    return Sampling


def _decode(
    recipe: Recipe, code: Any, size: int, grid: int, components: Any | None
) -> tuple[Any | None, Any]:
    """Return the whitened features that the code lets one expect, where asked for, and the picture."""
    layers = keras().layers
    x = _first_stage(recipe, code, size // 2 ** len(recipe.decoder), grid)
    expected = None
    widths = (*recipe.decoder[1:], 1)
    for stage, width in enumerate(widths, start=1):
        if recipe.loss == "features" and x.shape[1] == grid:
            expected = _expected(recipe, code, x, components)
        # What a normalisation follows needs no bias of its own: it would be subtracted again.
        bias = stage == len(widths) or not recipe.batch_norm
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same", use_bias=bias)(x)
        if stage < len(widths):
            x = _refined(recipe, x, width)
    return expected, exact(layers.Reshape((size, size))(layers.Activation("sigmoid")(x)))


def _refined(recipe: Recipe, x: Any, width: int) -> Any:
    x = _normal(recipe, x)
    for _ in range(recipe.extra_layers):
        x = _normal(
            recipe, keras().layers.Conv2D(width, 3, padding="same", use_bias=not recipe.batch_norm)(x)
        )
    return x


def _first_stage(recipe: Recipe, code: Any, start: int, grid: int) -> Any:
    layers, width = keras().layers, recipe.decoder[0]
    if recipe.bottleneck == "dense":
        x = _normal(recipe, layers.Dense(start * start * width, use_bias=not recipe.batch_norm)(code))
        return layers.Reshape((start, start, width))(x)
    x = layers.AveragePooling2D(grid // start)(code) if grid > start else code
    return _normal(recipe, layers.Conv2D(width, 3, padding="same", use_bias=not recipe.batch_norm)(x))


def _expected(recipe: Recipe, code: Any, x: Any, components: Any) -> Any:
    """Decode the whitened features: from a dense code linearly, as principal components are; else by 1x1.

    A convolutional decoder from a dense code, alone or added to the linear one, separated no better.
    """
    layers = keras().layers
    shape = components.shape[1:]
    dense = recipe.bottleneck == "dense"
    flat = layers.Dense(int(np.prod(shape)))(code) if dense else layers.Conv2D(shape[-1] * shape[-2], 1)(x)
    return exact(layers.Reshape(shape, name="expected")(flat))
