"""ResNet50, as Keras has it, with ImageNet or RadImageNet weights; four places to cut it.

He et al. 2016, "Deep residual learning for image recognition", https://arxiv.org/abs/1512.03385.
The graph is written straight from the weights file, so scoring and fitting on frozen features need no Keras;
`keras_encoder` gives the same network as a Keras model, for fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atypia.encoders.base import Encoder
from atypia.encoders.graph import GraphBuilder, fold_norm
from atypia.encoders.keras_h5 import Arrays, Shapes, read_layers
from atypia.encoders.weights import obtain_weights
from atypia.errors import BadOption, WeightsError
from atypia.keras_backend import keras as import_keras

NAME = "resnet50"
DEFAULT_CUT = ("conv4",)
# Keras' "caffe" preprocessing: pixels in 0..255, blue-green-red, minus the mean of ImageNet.
SCALE = 255.0
MEAN_BGR = (103.939, 116.779, 123.68)
NORM_EPSILON = 1.001e-5


@dataclass(frozen=True)
class Stage:
    """A run of residual blocks at one resolution: `filters` inside, four times that at the end."""

    name: str
    filters: int
    blocks: int
    stride: int

    @property
    def channels(self) -> int:
        """The number of channels of the stage's output."""
        return 4 * self.filters

    @property
    def step(self) -> int:
        """The stride of the stage's first block; the first stage follows a pooling and needs none."""
        return 1 if self.stride == 4 else 2

    @property
    def block_names(self) -> list[str]:
        """The names that Keras gives to the blocks."""
        return [f"{self.name}_block{number}" for number in range(1, self.blocks + 1)]

    @property
    def last_layer(self) -> str:
        """The name that Keras gives to the layer at the stage's end."""
        return f"{self.block_names[-1]}_out"


STAGES = {
    stage.name: stage
    for stage in (
        Stage("conv2", 64, 3, 4),
        Stage("conv3", 128, 4, 8),
        Stage("conv4", 256, 6, 16),
        Stage("conv5", 512, 3, 32),
    )
}


def load_resnet50(
    cut: tuple[str, ...] | None = None, *, weights: Path | None = None, threads: int | None = None
) -> Encoder:
    """Return the encoder with the weights at hand, else with those that it downloads.

    Raises BadOption for an unknown cut, WeightsError for weights that are missing, wrong or too short.
    """
    stages = _stages(cut or DEFAULT_CUT)
    layers = _read(obtain_weights(weights), stages)
    return Encoder(
        name=NAME,
        cut=tuple(stage.name for stage in stages),
        channels=tuple(stage.channels for stage in stages),
        strides=tuple(stage.stride for stage in stages),
        graph=_graph(layers, stages),
        threads=threads,
    )


def keras_encoder(weights: Path | None = None, cut: tuple[str, ...] | None = None, size: int = 224) -> Any:
    """Return a `keras.Model` from grey pixels (N, size, size) in [0, 1] to a list of the cuts' maps.

    It computes what the encoder of the same weights computes, and can be trained.
    Raises MissingExtra without Keras, and what `load_resnet50` raises.
    """
    stages = _stages(cut or DEFAULT_CUT)
    layers = _read(obtain_weights(weights), stages)
    keras = import_keras()
    pixels = keras.Input((size, size), name="pixels")
    colour = keras.ops.expand_dims(pixels, -1) * SCALE - np.asarray(MEAN_BGR, np.float32)
    network = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=colour)
    for name, arrays in layers.items():
        layer = network.get_layer(name)
        layer.set_weights([arrays[weight.name] for weight in layer.weights])
    outputs = [network.get_layer(stage.last_layer).output for stage in stages]
    return keras.Model(pixels, outputs, name=NAME)


def expected_layers() -> dict[str, Shapes]:
    """Return the layers that have weights, with the weights' shapes, in Keras' order."""
    layers: dict[str, Shapes] = {"conv1_conv": _conv(7, 3, 64), "conv1_bn": _norm(64)}
    inputs = 64
    for stage in STAGES.values():
        for block in stage.block_names:
            layers |= _block_layers(block, inputs, stage.filters)
            inputs = stage.channels
    return layers


def _block_layers(block: str, inputs: int, filters: int) -> dict[str, Shapes]:
    """List a block's layers; only the first of a stage has a convolution ("0") in its shortcut."""
    outputs = 4 * filters
    layers = {
        f"{block}_1_conv": _conv(1, inputs, filters),
        f"{block}_1_bn": _norm(filters),
        f"{block}_2_conv": _conv(3, filters, filters),
        f"{block}_2_bn": _norm(filters),
        f"{block}_0_conv": _conv(1, inputs, outputs),
        f"{block}_3_conv": _conv(1, filters, outputs),
        f"{block}_0_bn": _norm(outputs),
        f"{block}_3_bn": _norm(outputs),
    }
    if not block.endswith("_block1"):
        del layers[f"{block}_0_conv"], layers[f"{block}_0_bn"]
    return layers


def _conv(size: int, inputs: int, outputs: int) -> Shapes:
    return {"kernel": (size, size, inputs, outputs), "bias": (outputs,)}


def _norm(channels: int) -> Shapes:
    return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (channels,))


def _stages(cut: tuple[str, ...]) -> list[Stage]:
    if not set(cut) <= set(STAGES) or len(set(cut)) != len(cut):
        raise BadOption(
            f"Encoder {NAME}: expected different cuts out of {', '.join(STAGES)}, received {', '.join(cut)}."
        )
    return [STAGES[name] for name in cut]


def _read(path: Path, stages: list[Stage]) -> dict[str, Arrays]:
    """Return the layers that the file holds; refuse a file with holes, or one that stops too early."""
    expected = expected_layers()
    layers = read_layers(path, expected)
    missing = [name for name in expected if name not in layers]
    if missing != list(expected)[len(layers) :]:
        raise WeightsError(
            f"{path}: expected the weights of ResNet50, received a file without {len(missing)} of its layers "
            f"({', '.join(missing[:5])}{', ...' * (len(missing) > 5)}). Name a whole file: --weights FILE."
        )
    whole = [name for name in STAGES if not any(layer.startswith(name) for layer in missing)]
    refused = [stage.name for stage in stages if stage.name not in whole]
    if refused:
        found = f"stops after layer {list(layers)[-1]}" if layers else "holds none of its layers"
        raise WeightsError(
            f"{path}: expected the weights of ResNet50 up to {max(refused)}, received a file that {found}. "
            f"Cuts that it allows: {', '.join(whole) or 'none'}. Choose one of them, or name a file that "
            "reaches further: --weights FILE."
        )
    return layers


def _graph(layers: dict[str, Arrays], stages: list[Stage]) -> bytes:
    """Write the network, preprocessing in front, up to the deepest of the stages."""
    builder = GraphBuilder(NAME)
    value = builder.grey_input(scale=SCALE, mean=MEAN_BGR)
    value = builder.relu(_unit(builder, layers, "conv1", value, stride=2, padding=3))
    value = builder.max_pool(value, size=3, stride=2, padding=1)
    ends: dict[str, str] = {}
    while not ends.keys() >= {stage.name for stage in stages}:
        stage = list(STAGES.values())[len(ends)]
        for block in stage.block_names:
            value = _block(builder, layers, block, value, stage.step)
        ends[stage.name] = value
    return builder.build({stage.name: (ends[stage.name], stage.channels) for stage in stages})


def _block(builder: GraphBuilder, layers: dict[str, Arrays], block: str, value: str, step: int) -> str:
    """Write one bottleneck block (He et al. 2016, figure 5, right), strided in its first convolution."""
    first = f"{block}_0_conv" in layers
    stride = step if first else 1
    shortcut = _unit(builder, layers, f"{block}_0", value, stride=stride) if first else value
    value = builder.relu(_unit(builder, layers, f"{block}_1", value, stride=stride))
    value = builder.relu(_unit(builder, layers, f"{block}_2", value, padding=1))
    return builder.relu(builder.add(shortcut, _unit(builder, layers, f"{block}_3", value)))


def _unit(
    builder: GraphBuilder,
    layers: dict[str, Arrays],
    name: str,
    value: str,
    *,
    stride: int = 1,
    padding: int = 0,
) -> str:
    """Write a convolution with its batch normalisation folded in."""
    conv, norm = layers[f"{name}_conv"], layers[f"{name}_bn"]
    kernel, bias = fold_norm(
        conv["kernel"].transpose(3, 2, 0, 1),
        bias=conv["bias"],
        gamma=norm["gamma"],
        beta=norm["beta"],
        mean=norm["moving_mean"],
        variance=norm["moving_variance"],
        epsilon=NORM_EPSILON,
    )
    return builder.convolution(value, kernel, bias, stride=stride, padding=(padding, padding))
