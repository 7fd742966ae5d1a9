"""An encoder whose finer maps are averaged to the grid of its coarsest, inside its own graph."""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import helper

from atypia.encoders.base import Encoder


def on_one_grid(encoder: Encoder) -> Encoder:
    """Return the encoder with every cut at the coarsest stride.

    What reads cells side by side needs no finer ones, and a fraction of them is cached and moved.
    """
    coarsest = max(encoder.strides)
    if set(encoder.strides) == {coarsest}:
        return encoder
    model = onnx.load_from_string(encoder.graph)
    for cut, stride in zip(encoder.cut, encoder.strides, strict=True):
        if stride < coarsest:
            _average(model.graph, cut, coarsest // stride)
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    return replace(encoder, graph=data, strides=tuple(coarsest for _ in encoder.cut))


def _average(graph: onnx.GraphProto, output: str, factor: int) -> None:
    """Average an output over squares, in front of the transposition that puts its channels last."""
    place, last = next((i, node) for i, node in enumerate(graph.node) if output in node.output)
    if last.op_type != "Transpose" or any(output in node.input for node in graph.node):
        place, last = _transposed_twice(graph, output, place, last)
    finer, coarser = last.input[0], f"{output}_averaged"
    pool = helper.make_node(
        "AveragePool", [finer], [coarser], kernel_shape=[factor, factor], strides=[factor, factor]
    )
    last.input[0] = coarser
    graph.node.insert(place, pool)
    for put in graph.output:
        if put.name == output:
            for axis in (1, 2):
                put.type.tensor_type.shape.dim[axis].Clear()


def _transposed_twice(
    graph: onnx.GraphProto, output: str, place: int, maker: onnx.NodeProto
) -> tuple[int, onnx.NodeProto]:
    """Put an output's channels first and then last again; return that last node and its place."""
    finer, first = f"{output}_finer", f"{output}_channels_first"
    for node in graph.node:
        node.input[:] = [finer if name == output else name for name in node.input]
    maker.output[:] = [finer if name == output else name for name in maker.output]
    graph.node.insert(place + 1, helper.make_node("Transpose", [finer], [first], perm=[0, 3, 1, 2]))
    graph.node.insert(place + 2, helper.make_node("Transpose", [first], [output], perm=[0, 2, 3, 1]))
    return place + 2, graph.node[place + 2]
