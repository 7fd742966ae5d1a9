from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from atypia.networks.canonical import canonical


def model(names: dict[str, str], order: list[int], extra: bool = False) -> onnx.ModelProto:
    """The same small network under other names, and in another order."""
    n = {name: name for name in ("a", "b", "c", "w", "v")} | names
    nodes = [
        helper.make_node("Mul", ["x", n["w"]], [n["a"]], name=n["a"] + "!"),
        helper.make_node("Add", ["x", n["v"]], [n["b"]]),
        helper.make_node("Clip", [n["b"], "", n["w"]], [n["c"]]),
        helper.make_node("Sub", [n["a"], n["c"]], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(2), n["w"]),
        numpy_helper.from_array(np.float32(3), n["v"]),
    ]
    if extra:
        nodes.append(helper.make_node("Neg", ["x"], ["unused"]))
        constants.append(numpy_helper.from_array(np.float32(9), "unused_too"))
    puts = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("x", "y")]
    kept = [nodes[place] for place in order] + nodes[4:]
    graph = helper.make_graph(
        kept, "small", puts[:1], puts[1:], [constants[place % 2] for place in order[:2]]
    )
    graph.initializer.extend(constants[2:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(made: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(made)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.linspace(-3, 3, 7, dtype=np.float32)})[0]


@pytest.mark.parametrize("extra", [False, True])
def test_names_and_orders_do_not_matter(extra):
    one = model({}, [0, 1, 2, 3])
    other = model({"a": "zz", "b": "a", "w": "1st", "v": "w"}, [1, 0, 2, 3], extra)
    before = run(one)
    for made in (one, other):
        canonical(made.graph)
        assert np.array_equal(run(made), before)
    assert one.SerializeToString() == other.SerializeToString()


def test_what_is_canonical_stays():
    one = model({}, [1, 0, 2, 3])
    canonical(one.graph)
    before = one.SerializeToString()
    canonical(one.graph)
    assert one.SerializeToString() == before
