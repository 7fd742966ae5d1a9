"""Any image network of `keras.applications`, by its name, cut where each of its resolutions ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from atypia.encoders.base import Encoder
from atypia.encoders.converted import RANDOM, Front, converted, made_up
from atypia.errors import BadOption, WeightsError
from atypia.keras_backend import keras as import_keras

FAMILY = "keras"
CUTS = {"stride4": 4, "stride8": 8, "stride16": 16, "stride32": 32}
DEFAULT_CUT = ("stride16",)
# All its strides divide it, and every network of the collection was made for it or takes it.
SIZE = 224


def load_keras_application(
    model: str, cut: tuple[str, ...] | None = None, *, weights: Path | None = None, threads: int | None = None
) -> Encoder:
    """Return a network such as ConvNeXtTiny, its own preprocessing in front.

    `weights` is a file that Keras' `load_weights` reads for the network without top, `RANDOM`, or None for
    ImageNet's, which Keras finds or downloads. The network is built and converted with Keras once. Where its
    layers depend on the size of the picture it takes 224 pixels a side only.
    Raises BadOption for an unknown network or cut, MissingExtra without Keras, WeightsError.
    """
    cut = cut or DEFAULT_CUT
    if not set(cut) <= set(CUTS) or len(set(cut)) != len(cut):
        raise BadOption(
            f"Encoder {FAMILY}:{model}: expected different cuts out of {', '.join(CUTS)}, "
            f"received {', '.join(cut)}."
        )
    return converted(
        f"{FAMILY}:{model}", cut, weights, threads, lambda: _front(model, cut, weights), ("keras",)
    )


def application_names() -> list[str]:
    """Return the networks of `keras.applications`; raise MissingExtra without Keras."""
    applications = import_keras().applications
    return sorted(name for name in vars(applications) if name[0].isupper())


def _front(model: str, cut: tuple[str, ...], weights: Path | None) -> Front:
    """Return the network of any size where it can be built so, else of 224 pixels."""
    keras = import_keras()
    if model not in application_names():
        raise BadOption(
            f"Expected a network of keras.applications after '{FAMILY}:', received '{model}'. "
            f"There are: {', '.join(application_names())}."
        )
    tried = _built(model, weights, SIZE)
    ends = _ends(model, tried, cut)
    network, side = _built(model, weights, None), None
    if list(map(type, network.operations)) != list(map(type, tried.operations)):
        network, side = tried, SIZE
    _fill(network, model, weights)
    network = _convertible(network)
    scale, offset = _preprocessing(model)
    pixels = keras.Input((side, side), name="pixels")
    colour = keras.ops.expand_dims(pixels, -1) * scale + offset
    cut_off = keras.Model(network.inputs, [network.operations[place].output for place in ends])
    maps = cut_off(colour)
    maps = maps if isinstance(maps, list | tuple) else [maps]
    return Front(keras.Model(pixels, list(maps)), tuple(CUTS[name] for name in cut), SIZE)


def _ends(model: str, network: Any, cut: tuple[str, ...]) -> list[int]:
    """Return the place of the last operation at each stride that all of the network passes through."""
    keras = import_keras()
    operations = network.operations
    makers = {
        id(tensor): place
        for place, operation in enumerate(operations)
        for tensor in keras.tree.flatten(operation.output)
    }
    last_use = [0] * len(operations)
    for place, operation in enumerate(operations):
        for tensor in keras.tree.flatten(operation.input):
            maker = makers.get(id(tensor), place)
            last_use[maker] = max(last_use[maker], place)
    found: dict[int, int] = {}
    open_until = 0
    for place, operation in enumerate(operations):
        shape: tuple[Any, ...] = getattr(operation.output, "shape", ())
        square = len(shape) == 4 and shape[1] == shape[2]
        if open_until <= place and square and place and SIZE % shape[1] == 0:
            found[SIZE // shape[1]] = place
        open_until = max(open_until, last_use[place])
    missing = [name for name in cut if CUTS[name] not in found]
    if missing:
        there = [name for name, stride in CUTS.items() if stride in found]
        raise BadOption(
            f"Encoder {FAMILY}:{model}: it has no map at {', '.join(missing)} that all of it passes through "
            f"and that divides the canvas evenly. Cuts that it has: {', '.join(there) or 'none'}."
        )
    return [found[CUTS[name]] for name in cut]


def _built(model: str, weights: Path | None, side: int | None) -> Any:
    """Return the network for pictures of one size, or of any; without a file it has ImageNet's weights.

    Some networks prepare their input otherwise when they are asked for ImageNet's weights.
    """
    build = getattr(import_keras().applications, model)
    kind = "imagenet" if weights is None else None
    try:
        return build(include_top=False, weights=kind, input_shape=(side, side, 3))
    except Exception as error:  # Keras raises whatever its network or its download raised
        raise _unusable(model, weights, error) from error


def _fill(network: Any, model: str, weights: Path | None) -> None:
    if weights == RANDOM:
        made_up(network)
    elif weights is not None:
        try:
            network.load_weights(weights)
        except Exception as error:  # Keras raises whatever its file raised
            raise _unusable(model, weights, error) from error


def _unusable(model: str, weights: Path | None, error: Exception) -> WeightsError:
    told = str(error).strip().partition("\n")[0] or type(error).__name__
    return WeightsError(
        f"{weights or 'The ImageNet weights'}: cannot be used for {FAMILY}:{model} ({told}). Name a file "
        "that Keras saved for this network without top: --weights FILE; or use the encoder that comes with "
        "Atypia: --encoder efficientnet-lite0."
    )


def _convertible(network: Any) -> Any:
    """Return the same network in layers that the converter knows: it cannot read these two as they are."""
    keras = import_keras()
    copy = keras.models.clone_model(network, clone_function=_convertible_layer)
    for old, new in zip(network.layers, copy.layers, strict=True):
        values = old.get_weights()
        if type(old) is not type(new):
            values = [values[0].transpose(0, 1, 3, 2), *values[1:]] if _is_depthwise(old) else []
        new.set_weights(values)
    return copy


def _convertible_layer(layer: Any) -> Any:
    layers = import_keras().layers
    if _is_depthwise(layer):
        names = ("name", "kernel_size", "strides", "padding", "dilation_rate", "use_bias", "activation")
        return layers.DepthwiseConv2D(**{name: getattr(layer, name) for name in names})
    if isinstance(layer, layers.Normalization):
        if layer.input_mean is None:
            layer.finalize_state()
        deviation = np.sqrt(np.asarray(layer.variance).ravel())
        mean = np.asarray(layer.mean).ravel()
        return layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist(), name=layer.name)
    return layer.__class__.from_config(layer.get_config())


def _is_depthwise(layer: Any) -> bool:
    """Tell whether it is a convolution with a group for each channel that is not written as depthwise."""
    kind = import_keras().layers.Conv2D
    return type(layer) is kind and layer.groups > 1 and layer.kernel.shape[2] == 1


def _preprocessing(model: str) -> tuple[Any, Any]:
    """Return scale and offset (3,) from grey pixels in [0, 1] to what the network expects.

    All of Keras' preprocessings map each channel by a line, and grey has the same value in all three.
    """
    applications = import_keras().applications
    modules = (part for part in vars(applications).values() if hasattr(part, "preprocess_input"))
    module = next(part for part in modules if hasattr(part, model))
    black, white = (
        np.asarray(module.preprocess_input(np.full((1, 1, 1, 3), value, np.float32)), np.float32).reshape(3)
        for value in (0.0, 255.0)
    )
    return white - black, black
