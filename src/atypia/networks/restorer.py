"""A U-Net that gives back what a healthy scan would look like, and the graph that scores with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from atypia.keras_backend import keras
from atypia.networks import losses
from atypia.networks.acceleration import compiled

OUTPUTS = ("map", "change")

Loss = Literal["squared", "absolute"]


def make_restorer(unet: Any, optimizer: Any, loss: Loss) -> Any:
    """Return a compiled Keras model `(N, h, w, 1 or 2) -> change (N, h, w, 1)`: what heals is added.

    Its truth is (N, h, w, 2): the healthy scan, and where its error counts, inside which it is averaged.
    """
    k = keras()
    pictures = k.Input(unet.input.shape[1:], name="pictures")
    return compiled(k.Model([pictures], pictures[..., :1] + unet(pictures)), optimizer, _masked(loss))


def _masked(loss: Loss) -> Any:
    ops = keras().ops

    def error(truth: Any, restored: Any) -> Any:
        difference, where = truth[..., :1] - restored, truth[..., 1:]
        each = difference * difference if loss == "squared" else ops.abs(difference)
        return ops.sum(each * where) / (ops.sum(where) + 1.0)

    return error


def make_restoring_scorer(
    unet: Any, size: int, reduction: int, strengths: Sequence[float], smoothing: float
) -> Any:
    """Return a Keras model `pixels (N, S, S) -> [map (N, S, S), change (N, S, S)]`.

    The network sees pictures averaged over squares of `reduction` pixels. With one strength or more it is
    told each in turn, as a second channel, and its restorations are averaged: A = mean over t of
    |x - f(x, t)|, as Naval Marimont et al., "Ensembled cold-diffusion restorations for unsupervised anomaly
    detection", MICCAI 2024, ensemble restorations that are conditioned on several degrees of abnormality.
    The map is A smoothed by a Gaussian of `smoothing` pixels. What is added to a picture to heal it is given
    alone, for the picture itself stays sharper than one that went through the network.
    """
    k = keras()
    ops = k.ops
    pixels = k.Input((size, size), name="pixels")
    reduced = ops.average_pool(ops.expand_dims(pixels, -1), reduction, strides=reduction)
    told = [ops.concatenate([reduced, ops.full_like(reduced, t)], -1) for t in strengths] or [reduced]
    changes = [unet(picture) for picture in told]
    change = _mean(changes)
    error = _mean([ops.abs(each) for each in changes])
    if smoothing:
        error = ops.expand_dims(losses.blur(error[..., 0], smoothing / reduction), -1)
    return k.Model(pixels, [_enlarged(error, size), _enlarged(change, size)])


def _mean(tensors: list[Any]) -> Any:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total / len(tensors)


def _enlarged(pictures: Any, size: int) -> Any:
    if pictures.shape[1] == size:
        return pictures[..., 0]
    return keras().ops.image.resize(pictures, (size, size), interpolation="bilinear")[..., 0]
