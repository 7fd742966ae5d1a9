"""DINOv2 through keras-hub: a vision transformer trained without labels, its patches laid back on their grid.

Oquab et al., "DINOv2: Learning robust visual features without supervision", 2023,
https://arxiv.org/abs/2304.07193. Patches of its last layers serve detection well: Damm et al., "AnomalyDINO",
2024, https://arxiv.org/abs/2405.14529.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from atypia.encoders.base import Encoder
from atypia.encoders.converted import RANDOM, Front, converted, made_up
from atypia.errors import BadOption, MissingExtra, WeightsError
from atypia.keras_backend import keras as import_keras

FAMILY = "hub"
# The depth of a cut, in percent of the layers.
CUTS = {"depth33": 33, "depth67": 67, "depth100": 100}
DEFAULT_CUT = ("depth100",)
SIZE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What `RANDOM` builds where no preset is at hand, as the paper's table 17 has it: layers, width, heads.
SHAPES = {
    "dinov2_small": (12, 384, 6),
    "dinov2_base": (12, 768, 12),
    "dinov2_large": (24, 1024, 16),
}
PATCH = 14


def load_dinov2(
    model: str, cut: tuple[str, ...] | None = None, *, weights: Path | None = None, threads: int | None = None
) -> Encoder:
    """Return a DINOv2 for scans of 224 pixels a side, ImageNet's normalisation in front.

    `weights` is a folder with a keras-hub preset, `RANDOM`, or None for the preset of that name, which
    keras-hub finds or downloads. Raises BadOption, MissingExtra without keras-hub, WeightsError.
    """
    cut = cut or DEFAULT_CUT
    if not set(cut) <= set(CUTS) or len(set(cut)) != len(cut):
        raise BadOption(
            f"Encoder {FAMILY}:{model}: expected different cuts out of {', '.join(CUTS)}, "
            f"received {', '.join(cut)}."
        )
    packages = ("keras", "keras-hub")
    return converted(
        f"{FAMILY}:{model}",
        cut,
        weights,
        threads,
        lambda: dinov2_front(_backbone(model, weights), cut),
        packages,
    )


def dinov2_front(backbone: Any, cut: tuple[str, ...]) -> Front:
    """Return a backbone of keras-hub from grey pixels to maps (N, G, G, C), one for each depth of the cut."""
    keras = import_keras()
    size, patch, layers = int(backbone.image_shape[0]), backbone.patch_size, backbone.num_layers
    grid, extra = size // patch, 1 + backbone.num_register_tokens
    names = [f"stage{max(1, round(CUTS[name] / 100 * layers))}" for name in cut]
    pyramid = keras.Model(backbone.inputs, [backbone.pyramid_outputs[name] for name in names])
    scale = (1 / np.asarray(DEVIATION)).astype(np.float32)
    offset = (-np.asarray(MEAN) / np.asarray(DEVIATION)).astype(np.float32)
    pixels = keras.Input((size, size), name="pixels")
    colour = keras.ops.expand_dims(pixels, -1) * scale + offset
    tokens = pyramid(colour)
    tokens = tokens if isinstance(tokens, list | tuple) else [tokens]
    # The class token and the registers stand before the patches.
    maps = [
        keras.ops.reshape(backbone.layernorm(layer)[:, extra:], (-1, grid, grid, backbone.hidden_dim))
        for layer in tokens
    ]
    return Front(keras.Model(pixels, maps), (patch,) * len(cut), size)


def _backbone(model: str, weights: Path | None) -> Any:
    if not hub_available():
        raise MissingExtra(f"The encoder {FAMILY}:{model}", "hub", package="keras-hub")
    import_keras()
    import keras_hub

    shape = (SIZE, SIZE, 3)
    if weights == RANDOM:
        if model not in SHAPES:
            raise BadOption(
                f"Encoder {FAMILY}:{model}: random weights are there for {', '.join(SHAPES)} alone."
            )
        layers, width, heads = SHAPES[model]
        backbone = keras_hub.models.DINOV2Backbone(
            PATCH, layers, width, heads, 4 * width, image_shape=shape, position_embedding_shape=shape
        )
        made_up(backbone)
        return backbone
    source = model if weights is None else str(weights)
    try:
        return keras_hub.models.DINOV2Backbone.from_preset(source, image_shape=shape)
    except Exception as error:  # keras-hub raises whatever its file, its network or its download raised
        told = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"The preset {source} of keras-hub cannot be used ({told}). Name a folder that holds such a "
            "preset: --weights FOLDER; or use the encoder that comes with Atypia: "
            "--encoder efficientnet-lite0."
        ) from error


def hub_available() -> bool:
    """Tell whether keras-hub is installed, without importing it."""
    return importlib.util.find_spec("keras_hub") is not None
