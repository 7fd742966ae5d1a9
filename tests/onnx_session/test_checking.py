from __future__ import annotations

import time
from importlib.resources import files

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from atypia.artefact import read_artefact
from atypia.encoders import load_encoder
from atypia.errors import CorruptArtefact
from atypia.onnx_session import check_graph, open_session
from atypia.onnx_session.checking import OPERATORS
from atypia.pretrained import NAMES, pretrained_path


def model(*nodes, constants=(), functions=(), domains=("",)) -> onnx.ModelProto:
    puts = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("x", "y")]
    graph = helper.make_graph(list(nodes), "small", puts[:1], puts[1:], list(constants))
    imports = [helper.make_opsetid(domain, 17) for domain in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def refused(made: onnx.ModelProto, why: str) -> None:
    with pytest.raises(
        CorruptArtefact, match=rf"the network: expected a graph with .*{why}.*from whom you trust"
    ):
        check_graph(made.SerializeToString(), "the network")
    with pytest.raises(CorruptArtefact):
        open_session(made.SerializeToString(), "the network")


def test_a_plain_graph_is_opened():
    made = model(helper.make_node("Neg", ["x"], ["y"])).SerializeToString()
    check_graph(made, "the network")
    found = open_session(made, "the network").run(None, {"x": np.ones(2, np.float32)})
    assert np.array_equal(found[0], [-1, -1])


def test_all_that_ships_passes():
    graphs = [files("atypia.encoders").joinpath("efficientnet_lite0.onnx").read_bytes()]
    graphs += [graph for name in NAMES for graph in read_artefact(pretrained_path(name)).graphs.values()]
    graphs += [load_encoder("efficientnet-lite0", cut=("stage4", "stage16")).graph]
    for graph in graphs:
        check_graph(graph, "shipped")
    assert len(graphs) >= 3


def test_what_the_quantiser_writes_passes():
    pytest.importorskip("onnxruntime.quantization")
    from atypia.optimising.quantising import quantised

    kernel = numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), "kernel")
    puts = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2, 6, 6]),
    ]
    node = helper.make_node("Conv", ["x", "kernel"], ["y"])
    graph = helper.make_graph([node], "small", puts[:1], puts[1:], [kernel])
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = [{"x": np.linspace(0, 1, 128, dtype=np.float32).reshape(2, 1, 8, 8)}]
    made = quantised(plain.SerializeToString(), feeds)
    assert b"QuantizeLinear" in made
    check_graph(made, "quantised")


@pytest.mark.parametrize(
    ("kind", "domain"),
    [
        ("If", ""),
        ("Loop", ""),
        ("Scan", ""),
        ("RandomNormal", ""),
        ("StringNormalizer", ""),
        ("ImageDecoder", ""),
        ("SequenceConstruct", ""),
        ("PyOp", "pyopmulti_1"),
        ("Conv", "com.example"),
        ("FusedConv", "com.microsoft"),
        ("ZipMap", "ai.onnx.ml"),
        ("Gradient", "ai.onnx.preview.training"),
    ],
)
def test_another_operator_is_refused(kind, domain):
    assert domain or kind not in OPERATORS
    refused(model(helper.make_node(kind, ["x"], ["y"], domain=domain), domains=("", domain)), kind)


def test_a_graph_in_a_setting_is_refused():
    inner = model(helper.make_node("Neg", ["x"], ["y"])).graph
    refused(model(helper.make_node("Neg", ["x"], ["y"], inner=inner)), "Neg with 'inner'")


def test_a_function_of_the_graphs_own_is_refused():
    node = helper.make_node("Neg", ["a"], ["b"])
    function = helper.make_function("own", "Relu", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    refused(model(helper.make_node("Neg", ["x"], ["y"]), functions=[function]), "functions")


def test_values_in_another_file_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(8))
    tensor = TensorProto(name="outside", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", str(tmp_path / "secret")
    add = helper.make_node("Add", ["x", "outside"], ["y"])
    refused(model(add, constants=[tensor]), "'outside' in another file")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    refused(model(constant, helper.make_node("Add", ["x", "c"], ["y"])), "'outside' in another file")


@pytest.mark.parametrize(
    ("dims", "kind", "raw"),
    [
        ([2_000_000_000, 1000], 1, bytes(8)),
        ([3], 1, bytes(8)),
        ([-1], 1, b""),
        ([1], 8, b"a"),
        ([1], 99, b"a"),
    ],
)
def test_a_constant_that_lies_is_refused(dims, kind, raw):
    tensor = TensorProto(name="lie", data_type=kind, dims=dims, raw_data=raw)
    refused(model(helper.make_node("Add", ["x", "lie"], ["y"]), constants=[tensor]), "'lie'")


@pytest.mark.parametrize(
    ("kind", "inputs"), [("ConstantOfShape", ["size"]), ("Expand", ["x", "size"]), ("Tile", ["x", "size"])]
)
def test_an_operator_that_is_told_to_fill_the_memory_is_refused(kind, inputs):
    size = numpy_helper.from_array(np.array([100_000, 100_000], np.int64), "size")
    refused(model(helper.make_node(kind, inputs, ["y"]), constants=[size]), f"more of {kind}")


def test_a_shape_that_is_told_in_real_numbers_is_refused():
    size = numpy_helper.from_array(np.array([np.nan, np.inf]), "size")
    refused(
        model(helper.make_node("Expand", ["x", "size"], ["y"]), constants=[size]), "shapes in whole numbers"
    )


def test_more_operators_than_a_network_has_are_refused_soon():
    nodes = [helper.make_node("Neg", ["x"], [f"v{number}"]) for number in range(60_000)]
    made = model(*nodes)
    start = time.perf_counter()
    refused(made, "50000 operators")
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("data", [b"\xff" * 40, b"hello"])
def test_what_is_no_graph_is_corrupt(data):
    with pytest.raises(CorruptArtefact, match="the network: the graph is not a usable ONNX model"):
        check_graph(data, "the network")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_does_more_than_raise_our_error(place, value):
    kernel = numpy_helper.from_array(np.ones(3, np.float32), "kernel")
    data = bytearray(
        model(helper.make_node("Add", ["x", "kernel"], ["y"]), constants=[kernel]).SerializeToString()
    )
    data[place % len(data)] = value
    told = "the network"
    try:
        check_graph(bytes(data), "the network")
    except CorruptArtefact as error:
        told = str(error)
    assert told.startswith("the network")
