"""Builds and prunes the ONNX graphs of the encoders, without any deep-learning framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Old enough for every ONNX Runtime that the package allows; fixed, so that equal weights give equal bytes.
OPSET, IR_VERSION = 17, 8
PRODUCER = "atypia"

Weights = NDArray[np.floating[Any]]


@final
class GraphBuilder:
    """Collects the nodes of a convolutional network that takes grey pixels in [0, 1].

    Inside, maps are (N, C, H, W), as ONNX wants them; `build` turns the outputs to channels last.
    Every method returns the name of the value it makes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def grey_input(self, *, scale: float, mean: Sequence[float]) -> str:
        """Start from grey pixels `x` (N, H, W): three channels `x * scale - mean`."""
        offset = self._constant(-np.asarray(mean, dtype=np.float32).reshape(1, 3, 1, 1))
        factor = self._constant(np.asarray(scale, dtype=np.float32))
        axes = self._constant(np.asarray([1], dtype=np.int64))
        grey = self._node("Unsqueeze", "pixels", axes)
        return self._node("Add", self._node("Mul", grey, factor), offset)

    def convolution(
        self,
        value: str,
        kernel: Weights,
        bias: Weights,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        groups: int = 1,
    ) -> str:
        """Convolve with `kernel` (out, in / groups, k, k), with (before, after) zeros on both axes."""
        before, after = padding
        return self._node(
            "Conv",
            value,
            self._constant(kernel.astype(np.float32)),
            self._constant(bias.astype(np.float32)),
            strides=[stride, stride],
            pads=[before, before, after, after],
            kernel_shape=list(kernel.shape[2:]),
            group=groups,
        )

    def max_pool(self, value: str, *, size: int, stride: int, padding: int) -> str:
        """Take the maximum over windows of `size`."""
        return self._node(
            "MaxPool", value, kernel_shape=[size, size], strides=[stride, stride], pads=[padding] * 4
        )

    def add(self, left: str, right: str) -> str:
        """Add two maps."""
        return self._node("Add", left, right)

    def relu(self, value: str) -> str:
        """Clip below 0."""
        return self._node("Relu", value)

    def relu6(self, value: str) -> str:
        """Clip to [0, 6]."""
        low, high = (self._constant(np.asarray(bound, dtype=np.float32)) for bound in (0, 6))
        return self._node("Clip", value, low, high)

    def build(self, outputs: Mapping[str, tuple[str, int]]) -> bytes:
        """Return the ONNX model; `outputs` gives, for each output's name, its value and its channels."""
        maps = []
        for name, (value, channels) in outputs.items():
            self._nodes.append(helper.make_node("Transpose", [value], [name], perm=[0, 2, 3, 1]))
            shape = ["N", None, None, channels]
            maps.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", "H", "W"])
        graph = helper.make_graph(self._nodes, self._name, [pixels], maps, self._constants)
        return _model(graph)

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def fold_norm(
    kernel: Weights,
    *,
    gamma: Weights,
    beta: Weights,
    mean: Weights,
    variance: Weights,
    epsilon: float,
    bias: Weights | None = None,
) -> tuple[Weights, Weights]:
    """Return the kernel and bias of one convolution that does its batch normalisation as well.

    `kernel` is (out, in, k, k); the sums are done in float64.
    """
    factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    shifted = (0.0 if bias is None else bias.astype(np.float64)) - mean
    return kernel * factor[:, None, None, None], shifted * factor + beta


def prune(model: bytes, outputs: Sequence[str]) -> bytes:
    """Return the part of an ONNX model that these outputs need, with the outputs in this order."""
    graph = onnx.load_from_string(model).graph
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    by_name = {put.name: put for put in graph.output}
    pruned = helper.make_graph(
        nodes[::-1], graph.name, list(graph.input), [by_name[name] for name in outputs], constants
    )
    return _model(pruned)


def _model(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
