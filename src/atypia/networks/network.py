"""The one configurable network: encoder features -> bottleneck -> what a healthy scan would look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from atypia.keras_backend import keras
from atypia.networks.recipe import Recipe
from atypia.networks.whitening import Whitening

# Keeps the first steps of a variational network from overflowing.
LOG_VARIANCE = 8.0


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
    keras().utils.set_random_seed(seed)
    if features is None:
        features = [keras().Input(shape, name=f"features_{i}") for i, shape in enumerate(shapes)]
    grid = min(shape[0] for shape in shapes)
    pooled = [_pool(f, shape[0] // grid) for f, shape in zip(features, shapes, strict=True)]
    components = _components(pooled, whitening)
    read = _flat_layers(components, grid) if components is not None else _join(pooled)
    mean, log_variance, code = _bottleneck(recipe, read, seed)
    expected, reconstruction = _decode(recipe, code, size, grid, components)
    return Network(features, reconstruction, components, expected, mean, log_variance)


def _pool(features: Any, factor: int) -> Any:
    return keras().layers.AveragePooling2D(factor)(features) if factor > 1 else features


def _join(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else keras().layers.Concatenate()(tensors)


def _components(pooled: list[Any], whitening: list[Whitening]) -> Any | None:
    if not whitening:
        return None
    projected = []
    for features, w in zip(pooled, whitening, strict=True):
        project = keras().layers.Dense(w.matrix.shape[1], trainable=False)
        projected.append(keras().ops.expand_dims(project(features), -2))
        project.set_weights([w.matrix, -w.mean @ w.matrix])
    return projected[0] if len(projected) == 1 else keras().layers.Concatenate(axis=-2)(projected)


def _flat_layers(components: Any, grid: int) -> Any:
    return keras().layers.Reshape((grid, grid, components.shape[-1] * components.shape[-2]))(components)


def _normal(recipe: Recipe, x: Any) -> Any:
    x = keras().layers.BatchNormalization()(x) if recipe.batch_norm else x
    return keras().layers.Activation("relu")(x)


def _bottleneck(recipe: Recipe, x: Any, seed: int) -> tuple[Any, Any | None, Any]:
    layers = keras().layers
    if recipe.bottleneck == "dense":
        x = layers.Flatten()(x)
        for width in recipe.code[:-1]:
            x = _normal(recipe, layers.Dense(width, use_bias=not recipe.batch_norm)(x))
        make = layers.Dense
    else:
        for width in recipe.code[:-1]:
            x = _normal(recipe, layers.Conv2D(width, 3, padding="same", use_bias=not recipe.batch_norm)(x))

        def make(width: int, name: str) -> Any:
            return layers.Conv2D(width, 1, name=name)

    mean = make(recipe.code[-1], name="code")(x)
    if recipe.variational:
        spread = make(recipe.code[-1], name="code_log_variance")(x)
        log_variance = keras().ops.clip(spread, -LOG_VARIANCE, LOG_VARIANCE)
        return mean, log_variance, _sampling(seed)([mean, log_variance])
    code = mean if recipe.loss == "features" else layers.Activation("relu")(mean)
    return mean, None, layers.Dropout(recipe.dropout, seed=seed)(code) if recipe.dropout else code


def _sampling(seed: int) -> Any:
    k = keras()

    class Sampling(k.layers.Layer):  # type: ignore[misc, name-defined]
        """Draw from the code's Gaussian while training; give its mean while scoring."""

        def __init__(self) -> None:
            super().__init__()
            self.noise = k.random.SeedGenerator(seed)

        def call(self, inputs: list[Any], training: bool = False) -> Any:
            mean, log_variance = inputs
            if not training:
                return mean
            epsilon = k.random.normal(k.ops.shape(mean), seed=self.noise)
            return mean + k.ops.exp(0.5 * log_variance) * epsilon

    return Sampling()


def _decode(
    recipe: Recipe, code: Any, size: int, grid: int, components: Any | None
) -> tuple[Any | None, Any]:
    layers = keras().layers
    stages = len(recipe.decoder)
    start = size // 2**stages
    if recipe.bottleneck == "dense":
        x = _normal(recipe, layers.Dense(start * start * recipe.decoder[0])(code))
        x = layers.Reshape((start, start, recipe.decoder[0]))(x)
    else:
        x = layers.AveragePooling2D(grid // start)(code) if grid > start else code
        x = _normal(recipe, layers.Conv2D(recipe.decoder[0], 3, padding="same")(x))
    expected = None
    wants_features = components is not None and recipe.loss == "features"
    for stage, width in enumerate([*recipe.decoder[1:], 1]):
        if wants_features and x.shape[1] == grid:
            expected = _expected(code if recipe.bottleneck == "dense" else None, x, components)
        last = stage == stages - 1
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(x)
        if not last:
            x = _normal(recipe, x)
            for _ in range(recipe.extra_layers):
                x = _normal(recipe, layers.Conv2D(width, 3, padding="same")(x))
    picture = layers.Activation("sigmoid")(x)
    return expected, layers.Reshape((size, size))(picture)


def _expected(code: Any | None, x: Any, components: Any) -> Any:
    """Decode the whitened features: a linear map of the code (a principal-component decoder), refined."""
    layers = keras().layers
    shape = components.shape[1:]
    refined = layers.Conv2D(shape[-1] * shape[-2], 1)(x)
    if code is not None:
        linear = layers.Dense(int(np.prod(shape)))(code)
        refined = layers.Add()([refined, layers.Reshape(refined.shape[1:])(linear)])
    return layers.Reshape(shape, name="expected")(refined)
