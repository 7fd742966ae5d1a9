"""An encoder's graph as a Keras network that can be trained on, and the trained weights put back into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from atypia.encoders.base import Encoder
from atypia.errors import BadOption
from atypia.keras_backend import keras

# Kernels as ONNX has them (out, in, k, k), as Keras has them (k, k, in, out), and back.
TO_KERAS, TO_ONNX = (2, 3, 1, 0), (3, 2, 0, 1)
# A convolution of each channel alone is (C, 1, k, k) there and (k, k, C, 1) here.
DEPTHWISE = (2, 3, 0, 1)


@final
@dataclass(frozen=True, eq=False)
class Trainable:
    """A Keras model that computes what an encoder computes.

    `model` takes grey pixels (N, S, S) in [0, 1] and gives a list with one map (N, h, w, C) for each cut.
    What works at the strides of the cuts learns; what works on a finer grid stays as it is.
    `constants` gives, for each convolution, the names that its kernel and bias have in the encoder's graph.
    """

    model: Any
    encoder: Encoder
    constants: dict[str, tuple[str, str]]

    def trained(self) -> Encoder:
        """Return the encoder with the weights that the model has now; nothing else in its graph changes.

        Weights that no training has touched give the same graph again.
        """
        model = onnx.load_from_string(self.encoder.graph)
        values: dict[str, NDArray[Any]] = {}
        for name, (kernel, bias) in self.constants.items():
            layer = self.model.get_layer(name)
            weights, biases = layer.get_weights()
            values |= {kernel: weights.transpose(_turned_back(layer)), bias: biases}
        for constant in model.graph.initializer:
            if constant.name in values:
                new = np.ascontiguousarray(values[constant.name], np.float32)
                constant.CopyFrom(numpy_helper.from_array(new, constant.name))
        return replace(self.encoder, graph=bytes(model.SerializeToString(deterministic=True)))


def trainable(encoder: Encoder, size: int) -> Trainable:
    """Return an encoder as a Keras model for pictures of `size` pixels a side.

    Raises BadOption for a graph with other operations than `GraphBuilder` writes, MissingExtra without Keras.
    """
    reader = _Reader(encoder, size)
    model = keras().Model(reader.pixels, [reader.values[name] for name in encoder.cut], name="encoder")
    for name in reader.constants:
        layer = model.get_layer(name)
        layer.trainable = layer.output.shape[1] <= size // min(encoder.strides)
    return Trainable(model, encoder, reader.constants)


class _Reader:
    """Reads a graph node by node; `values` are its tensors, channels last in place of channels first."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        graph = onnx.load_from_string(encoder.graph).graph
        self.name = encoder.name
        self.pixels = keras().Input((size, size), name=graph.input[0].name)
        self.values: dict[str, Any] = {graph.input[0].name: self.pixels}
        self.arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self.constants: dict[str, tuple[str, str]] = {}
        for node in graph.node:
            read = getattr(self, f"_{node.op_type.lower()}", None)
            made = read and read(node, {a.name: helper.get_attribute_value(a) for a in node.attribute})
            if made is None:
                raise BadOption(
                    f"Encoder {self.name}: its operation {node.op_type} cannot be trained. Adaptation is for "
                    "the encoders efficientnet-lite0 and resnet50; choose one of them, or leave out 'adapt'."
                )
            self.values[node.output[0]] = made

    def _unsqueeze(self, node: onnx.NodeProto, _: dict[str, Any]) -> Any | None:
        if self.arrays[node.input[1]].tolist() != [1]:
            return None
        return keras().ops.expand_dims(self.values[node.input[0]], -1)

    def _transpose(self, node: onnx.NodeProto, options: dict[str, Any]) -> Any | None:
        return self.values[node.input[0]] if options["perm"] == [0, 2, 3, 1] else None

    def _mul(self, node: onnx.NodeProto, _: dict[str, Any]) -> Any:
        left, right = (self._value(name) for name in node.input)
        return left * right

    def _add(self, node: onnx.NodeProto, _: dict[str, Any]) -> Any:
        left, right = (self._value(name) for name in node.input)
        return left + right

    def _relu(self, node: onnx.NodeProto, _: dict[str, Any]) -> Any:
        return keras().ops.relu(self.values[node.input[0]])

    def _clip(self, node: onnx.NodeProto, _: dict[str, Any]) -> Any:
        low, high = (self.arrays[name].item() for name in node.input[1:])
        return keras().ops.clip(self.values[node.input[0]], low, high)

    def _maxpool(self, node: onnx.NodeProto, options: dict[str, Any]) -> Any:
        # Below any value, as ONNX pads; zeros would win over negative ones.
        padded = _padded(self.values[node.input[0]], options, float(np.finfo(np.float32).min))
        return keras().ops.max_pool(padded, tuple(options["kernel_shape"]), tuple(options["strides"]))

    def _conv(self, node: onnx.NodeProto, options: dict[str, Any]) -> Any | None:
        value, layers = _padded(self.values[node.input[0]], options, 0.0), keras().layers
        kernel, bias = (self.arrays[name] for name in node.input[1:])
        shape, strides, name = tuple(kernel.shape[2:]), tuple(options["strides"]), node.output[0]
        if options["group"] == 1:
            layer, turned = layers.Conv2D(len(kernel), shape, strides, name=name), TO_KERAS
        elif options["group"] == len(kernel) == value.shape[-1]:
            layer, turned = layers.DepthwiseConv2D(shape, strides, name=name), DEPTHWISE
        else:
            return None
        made = layer(value)
        layer.set_weights([kernel.transpose(turned), bias])
        self.constants[name] = (node.input[1], node.input[2])
        return made

    def _value(self, name: str) -> Any:
        """Return a tensor, or a constant as it stands beside one: a number, or one for each channel."""
        if name in self.values:
            return self.values[name]
        array: NDArray[Any] = self.arrays[name]
        return array if array.ndim < 4 else array.transpose(0, 2, 3, 1)


def _padded(value: Any, options: dict[str, Any], fill: float) -> Any:
    top, left, bottom, right = options["pads"]
    if not any(options["pads"]):
        return value
    return keras().ops.pad(value, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def _turned_back(layer: Any) -> tuple[int, ...]:
    return DEPTHWISE if isinstance(layer, keras().layers.DepthwiseConv2D) else TO_ONNX
