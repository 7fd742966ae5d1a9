"""An encoder whose finer maps are averaged to the grid of its coarsest, inside its own graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

if TYPE_CHECKING:
    from atypia.encoders.base import Encoder

_ENDING = "_averaged"


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


def off_one_grid(graph: bytes, cut: Sequence[str]) -> tuple[bytes, tuple[int, ...]]:
    """Return a graph without the averages of `on_one_grid`, and over how many cells a side each cut has one.

    Where a graph ended in transpositions, as those that Atypia writes, it is the graph that it was, byte by
    byte. Other averages are left alone, and counted as 1.
    """
    alone = graph, (1,) * len(cut)
    if _ENDING.encode() not in graph:
        return alone
    try:
        model = onnx.load_from_string(graph)
    except Exception:  # what protobuf raises has no public name; who opens the graph tells of it
        return alone
    factors = tuple(_undone(model.graph, output) for output in cut)
    return (model.SerializeToString(deterministic=True), factors) if max(factors) > 1 else alone


def averaged(maps: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average maps (N, h, w, C) over squares of `factor` cells a side, as `on_one_grid` does in the graph."""
    if factor == 1:
        return maps
    rows = sum(maps[:, first::factor] for first in range(factor))
    cells = sum(np.asarray(rows)[:, :, first::factor] for first in range(factor))
    return np.asarray(cells / np.float32(factor**2))


def _undone(graph: onnx.GraphProto, output: str) -> int:
    pools = [n for n in graph.node if n.op_type == "AveragePool" and n.output[0] == output + _ENDING]
    ends = [n for n in graph.node if n.op_type == "Transpose" and n.output[0] == output]
    if not pools or not ends or ends[0].input[0] != output + _ENDING:
        return 1
    ends[0].input[0] = pools[0].input[0]
    graph.node.remove(pools[0])
    sides = next(a for a in pools[0].attribute if a.name == "kernel_shape").ints
    return int(sides[0])


def _average(graph: onnx.GraphProto, output: str, factor: int) -> None:
    """Average an output over squares, in front of the transposition that puts its channels last."""
    place, last = next((i, node) for i, node in enumerate(graph.node) if output in node.output)
    if last.op_type != "Transpose" or any(output in node.input for node in graph.node):
        place, last = _transposed_twice(graph, output, place, last)
    finer, coarser = last.input[0], output + _ENDING
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
