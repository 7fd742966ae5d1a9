"""From reconstruction to score and map, as a graph: what is exported is what is calibrated and served."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from atypia.keras_backend import keras
from atypia.networks import losses
from atypia.networks.network import Network
from atypia.networks.recipe import Recipe


def make_scorer(network: Network, recipe: Recipe, inputs: list[Any], size: int, pixels: Any = None) -> Any:
    """Return a Keras model `[*inputs, pixels, foreground] -> [score (N,), map (N, S, S), reconstruction]`.

    `pixels` and `foreground` are float32 (N, S, S), the foreground being 0 or 1. Where `pixels` is already
    one of the inputs (an encoder stands in front), it is not asked for twice.
    """
    k = keras()
    own = pixels is None
    pixels = k.Input((size, size), name="pixels") if own else pixels
    foreground = k.Input((size, size), name="foreground")
    region = foreground if recipe.region == "foreground" else k.ops.ones_like(foreground)
    error, region_of_error = _error(network, recipe, pixels, region)
    score = _pool(error, region_of_error, recipe.top)
    heat = _to_pixels(error, size)
    heat = losses.blur(heat, recipe.smoothing) if recipe.smoothing else heat
    heat = heat * region
    given = [*inputs, pixels, foreground] if own else [*inputs, foreground]
    return k.Model(given, [score, heat, network.reconstruction])


def _error(network: Network, recipe: Recipe, pixels: Any, region: Any) -> tuple[Any, Any]:
    """Return the error (N, h, w) and the region on the same grid."""
    if recipe.score == "features":
        error = losses.cosine_error(network.components, network.expected)
        factor = pixels.shape[1] // error.shape[1]
        return error, _cells(region, factor)
    if recipe.score == "ssim":
        return losses.ssim_error(pixels, network.reconstruction), region
    difference = pixels - network.reconstruction
    error = difference * difference
    return (error / _variance(pixels, region) if recipe.score == "relative" else error), region


def _cells(region: Any, factor: int) -> Any:
    """Return the cells that lie mostly in the region, and all of them where none does."""
    ops = keras().ops
    share = ops.average_pool(ops.expand_dims(region, -1), factor, strides=factor)[..., 0]
    mostly = ops.cast(share > 0.5, "float32")
    return ops.maximum(mostly, 1 - ops.max(mostly, axis=(1, 2), keepdims=True))


def _variance(pixels: Any, region: Any) -> Any:
    """Return the variance of the scan inside the region, (N, 1, 1)."""
    ops = keras().ops
    count = ops.sum(region, axis=(1, 2), keepdims=True) + 1e-6
    mean = ops.sum(pixels * region, axis=(1, 2), keepdims=True) / count
    deviation = (pixels - mean) * region
    return ops.sum(deviation * deviation, axis=(1, 2), keepdims=True) / count + 1e-4


def _pool(error: Any, region: Any, top: float) -> Any:
    """Average the highest `top` share of the region's errors: (N, h, w) -> (N,)."""
    ops = keras().ops
    cells = math.prod(error.shape[1:])
    error, region = ops.reshape(error, (-1, cells)), ops.reshape(region, (-1, cells))
    inside = ops.sum(region, axis=1, keepdims=True)
    if top == 1:
        return ops.sum(error * region, axis=1) / (inside[:, 0] + 1e-6)
    most = max(1, math.ceil(top * cells))
    highest, _ = ops.top_k(error * region - (1 - region), k=most, sorted=True)
    wanted = ops.maximum(ops.ceil(inside * top), 1.0)
    ranks = np.arange(most, dtype=np.float32).reshape(1, most)
    taken = ops.cast(wanted > ranks, "float32")
    return ops.sum(highest * taken, axis=1) / ops.sum(taken, axis=1)


def _to_pixels(error: Any, size: int) -> Any:
    if error.shape[1] == size:
        return error
    ops = keras().ops
    return ops.image.resize(ops.expand_dims(error, -1), (size, size), interpolation="bilinear")[..., 0]
