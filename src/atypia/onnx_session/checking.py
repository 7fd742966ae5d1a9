"""What a graph may hold: checked before a runtime sees it, for a file may come from a stranger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from atypia.errors import CorruptArtefact

_NAMES = """
    Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape
    Conv ConvTranspose DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand Flatten
    Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
    GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish
    Mod Mul Neg Not Or PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL2 ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence Round Selu
    Shape Sigmoid Sign Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum
    Tanh Tile TopK Transpose Trilu Unsqueeze Where
"""
OPERATORS = frozenset(_NAMES.split())
"""Plain arithmetic on arrays: what the encoders, the exports of networks and the quantisation use, and what
converters write for the same layers. None reads a file, takes text, draws at random, or has a loop or another
graph inside."""

LARGEST = 2**31 - 1
"""Bytes of a graph: what the format's own container can hold."""
MOST_NODES, MOST_CONSTANTS = 50_000, 50_000
MOST_VALUES = 2**28
"""Values that one operator may be told to make: 1 GiB of float32."""

_DOMAINS = ("", "ai.onnx")
_TOLD_SHAPE = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}
_SHORT = 16
_WHOLE = (6, 7)
# FLOAT, INT, STRING, TENSOR, FLOATS, INTS and STRINGS; no graphs, no sparse tensors, no types.
_ATTRIBUTES = frozenset({1, 2, 3, 4, 6, 7, 8})
# By number in the format: bytes of a value. No text, no complex numbers.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
AGAIN = "Use a file from whom you trust, or make it anew with 'atypia fit'."


def check_graph(graph: bytes, who: str) -> None:
    """Raise CorruptArtefact, naming `who`, unless a graph holds nothing but what Atypia writes.

    Operators are those of OPERATORS in ONNX's own domain; there are no functions, no graphs inside, no values
    that lie in other files, and no constant that claims another size than it has. It takes milliseconds.
    """
    if len(graph) > LARGEST:
        raise _refused(who, f"at most {LARGEST} bytes", f"{len(graph)}")
    import onnx

    try:
        model = onnx.load_from_string(graph)
    except Exception as error:  # what protobuf raises for a damaged file has no public name
        raise CorruptArtefact(f"{who}: the graph is not a usable ONNX model: {error}") from error
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise _refused(who, "a plain graph", "one with functions, training or sparse constants")
    if len(model.graph.node) > MOST_NODES or len(model.graph.initializer) > MOST_CONSTANTS:
        counts = f"{len(model.graph.node)} and {len(model.graph.initializer)}"
        raise _refused(who, f"at most {MOST_NODES} operators and {MOST_CONSTANTS} constants", counts)
    for node in model.graph.node:
        _check_node(node, who)
    for tensor in _tensors(model.graph):
        _check_tensor(tensor, who)
    _check_shapes(model.graph, who)


def _check_node(node: Any, who: str) -> None:
    if node.domain not in _DOMAINS or node.op_type not in OPERATORS:
        name = f"{node.domain}.{node.op_type}".lstrip(".")
        raise _refused(who, "operators that Atypia uses", f"{name!r}")
    for attribute in node.attribute:
        if attribute.type not in _ATTRIBUTES:
            raise _refused(who, "operators with plain settings", f"{node.op_type} with {attribute.name!r}")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _check_tensor(tensor: Any, who: str) -> None:
    if tensor.data_location or tensor.external_data:
        raise _refused(who, "constants in the graph itself", f"{tensor.name!r} in another file")
    size, count = _BYTES.get(tensor.data_type), math.prod(tensor.dims)
    if size is None or any(length < 0 for length in tensor.dims):
        raise _refused(who, "constants that are plain numbers", f"{tensor.name!r}")
    if tensor.raw_data:
        held = len(tensor.raw_data) / size
    else:
        fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
        held = sum(len(getattr(tensor, field)) for field in fields)
    if held != count:
        told = f"{tensor.name!r} of {count} values with {held:g}"
        raise _refused(who, "constants of the size they claim", told)


def _check_shapes(graph: Any, who: str) -> None:
    """Refuse an operator that is told by a constant to make more values than fit in memory."""
    asking = [node for node in graph.node if node.op_type in _TOLD_SHAPE]
    if not asking:
        return
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in asking:
        tensor = constants.get([*node.input, "", ""][_TOLD_SHAPE[node.op_type]])
        if tensor is None or math.prod(tensor.dims) > _SHORT:
            continue
        if tensor.data_type not in _WHOLE:
            raise _refused(who, "shapes in whole numbers", f"{tensor.name!r} of other values")
        if math.prod(max(1, int(n)) for n in numpy_helper.to_array(tensor).ravel()) > MOST_VALUES:
            raise _refused(who, f"at most {MOST_VALUES} values of one operator", f"more of {node.op_type}")


def _refused(who: str, expected: str, received: str) -> CorruptArtefact:
    return CorruptArtefact(f"{who}: expected a graph with {expected}, received {received}. {AGAIN}")
