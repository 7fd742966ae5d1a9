"""Networks that learn to give back the features of a frozen encoder, and the graph that scores with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atypia.keras_backend import keras
from atypia.networks import losses
from atypia.networks.acceleration import building, compiled, exact
from atypia.networks.normalisation import batch_normalisation
from atypia.networks.unet import MOMENTUM
from atypia.networks.whitening import Whitening

OUTPUTS = ("map",)
# Whitened features lie mostly within two deviations of their mean: the range that SSIM's constants ask for.
RANGE = 4.0

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Student:
    """The encoder's features as Keras inputs, and errors per cell, (N, g, g) each, of one grid or several."""

    features: list[Any]
    errors: list[Any]


def build_reverse_distillation(
    shapes: Sequence[Shape], whitening: Sequence[Whitening], width: int, seed: int
) -> Student:
    """Return a student that rebuilds all layers from one code.

    Deng and Li, "Anomaly detection via reverse distillation from one-class embedding", CVPR 2022: the layers
    are brought to the coarsest grid by convolutions of stride 2 and joined (section 3.3, multi-scale feature
    fusion), embedded on half that grid (one-class embedding), and decoded in reverse order; the errors are
    M_k = 1 - cos(F_k, D_k) (equation 1).
    """
    layers = keras().layers
    features, targets = _inputs(shapes, whitening)
    with building(seed):
        coarsest = min(shape[0] for shape in shapes)
        x = _join([_down(target, coarsest, width) for target in targets])
        x = _normal(layers.Conv2D(2 * width, 3, strides=2, padding="same", use_bias=False)(x))
        x = _normal(layers.Conv2D(2 * width, 3, padding="same", use_bias=False)(x))
        errors = []
        for target in reversed(targets):
            while x.shape[1] < target.shape[1]:
                x = _up(x, width)
            expected = exact(layers.Conv2D(target.shape[-1], 1)(x))
            errors.append(_cosine_error(target, expected))
    return Student(features, errors)


def build_feature_autoencoder(
    shapes: Sequence[Shape], whitening: Sequence[Whitening], widths: Sequence[int], loss: str, seed: int
) -> Student:
    """Return a convolutional autoencoder of the layers side by side, on the grid of the finest.

    Meissen, Paetzold, Kaissis, Rueckert, "Unsupervised anomaly localization with structural
    feature-autoencoders", BrainLes 2022: `loss` ssim is 1 - SSIM per feature map (Wang et al. 2004, equation
    13), its mean over the maps being the error; `cosine` is 1 - cos of all features of a cell.
    """
    layers = keras().layers
    features, targets = _inputs(shapes, whitening)
    finest = max(shape[0] for shape in shapes)
    with building(seed):
        target = _join([_resized(each, finest) for each in targets])
        x = target
        grids = []
        for width in widths:
            grids.append(x.shape[1])
            x = _normal(layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x))
        for width, grid in zip(reversed(widths), reversed(grids), strict=True):
            x = _resized(_up(x, width), grid)
        expected = exact(layers.Conv2D(target.shape[-1], 1)(x))
    error = _ssim_error(target, expected) if loss == "ssim" else _cosine_error(target, expected)
    return Student(features, [error])


def make_learner(student: Student, optimizer: Any) -> Any:
    """Return a compiled Keras model whose loss is the sum of its errors' means (Deng and Li, equation 2).

    It learns without a truth: what is given as one is not looked at.
    """
    k = keras()

    def total(truth: Any, errors: Any) -> Any:
        del truth
        return k.ops.mean(errors)

    means = [k.ops.mean(error, axis=(1, 2)) for error in student.errors]
    model = k.Model(student.features, k.ops.expand_dims(_sum(means), -1))
    return compiled(model, optimizer, total)


def make_feature_scorer(student: Student, size: int, smoothing: float) -> Any:
    """Return a Keras model from the features to the map (N, S, S).

    The errors of all grids are interpolated to pixels and added (Deng and Li, section 3.4), then smoothed by
    a Gaussian of `smoothing` pixels.
    """
    heat = _sum([_resized(keras().ops.expand_dims(error, -1), size)[..., 0] for error in student.errors])
    return keras().Model(student.features, losses.blur(heat, smoothing) if smoothing else heat)


def _inputs(shapes: Sequence[Shape], whitening: Sequence[Whitening]) -> tuple[list[Any], list[Any]]:
    """Return the features as inputs, and as what is to be rebuilt: whitened, where asked for."""
    layers = keras().layers
    features = [layers.Input(shape, name=f"features_{i}") for i, shape in enumerate(shapes)]
    if not whitening:
        return features, list(features)
    targets = []
    for each, w in zip(features, whitening, strict=True):
        project = layers.Dense(w.matrix.shape[1], trainable=False, dtype="float32")
        targets.append(project(each))
        project.set_weights([w.matrix, -w.mean @ w.matrix])
    return features, targets


def _down(x: Any, grid: int, width: int) -> Any:
    while x.shape[1] > grid:
        x = _normal(keras().layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x))
    return x


def _up(x: Any, width: int) -> Any:
    x = keras().layers.UpSampling2D(2)(x)
    return _normal(keras().layers.Conv2D(width, 3, padding="same", use_bias=False)(x))


def _normal(x: Any) -> Any:
    layers = keras().layers
    return layers.Activation("relu")(batch_normalisation(MOMENTUM)(x))


def _join(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else keras().layers.Concatenate(dtype="float32")(tensors)


def _sum(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else keras().ops.sum(keras().ops.stack(tensors), axis=0)


def _resized(maps: Any, grid: int) -> Any:
    if maps.shape[1] == grid:
        return maps
    return keras().ops.image.resize(maps, (grid, grid), interpolation="bilinear")


def _cosine_error(target: Any, expected: Any) -> Any:
    """Return 1 - cosine similarity per cell, (N, g, g)."""
    ops = keras().ops
    return losses.cosine_error(ops.expand_dims(target, -2), ops.expand_dims(expected, -2))


def _ssim_error(target: Any, expected: Any) -> Any:
    """Return the mean over the maps of 1 - SSIM, (N, g, g)."""
    ops = keras().ops
    truth, found = (ops.transpose(x, (0, 3, 1, 2)) / RANGE for x in (target, expected))
    return ops.mean(losses.ssim_error(truth, found, blur=losses.multiplied_blur), axis=1)
