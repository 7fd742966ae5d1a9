from __future__ import annotations

import numpy as np
import onnx
import pytest

from atypia.encoders.graph import GraphBuilder
from atypia.onnx_session import open_session
from atypia.optimising.quantising import quantised


def build(convolutions: int) -> bytes:
    rng = np.random.default_rng(0)
    builder = GraphBuilder("small")
    value, inputs = builder.grey_input(scale=1.0, mean=(0.4, 0.5, 0.6)), 3
    for _ in range(convolutions):
        kernel = rng.normal(size=(6, inputs, 3, 3)) / np.sqrt(9 * inputs / 2)
        value = builder.relu(builder.convolution(value, kernel, np.zeros(6), padding=(1, 1)))
        inputs = 6
    return builder.build({"deep": (value, inputs)})


@pytest.fixture(scope="module")
def feeds():
    rng = np.random.default_rng(1)
    return [{"pixels": rng.random((4, 16, 16), dtype=np.float32)} for _ in range(2)]


def in_8_bits(graph: bytes) -> int:
    nodes = onnx.load_from_string(graph).graph.node
    dequantised = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    return sum(node.op_type == "Conv" and node.input[1] in dequantised for node in nodes)


def test_convolutions_compute_in_8_bits_and_say_nearly_the_same(feeds):
    graph = build(3)
    small = quantised(graph, feeds, last_in_float=False)
    assert in_8_bits(small) == 3
    before, after = (open_session(g, "A graph").run(None, feeds[0])[0] for g in (graph, small))
    assert after.dtype == np.float32
    assert before.shape == after.shape
    assert 0 < np.abs(after - before).mean() < 0.05 * np.abs(before).mean()


def test_the_last_convolution_stays_as_it_is_where_asked(feeds):
    assert in_8_bits(quantised(build(3), feeds, last_in_float=True)) == 2


def test_the_first_convolutions_stay_as_they_are_where_asked(feeds):
    assert in_8_bits(quantised(build(3), feeds, first_in_float=1)) == 2
    assert quantised(build(3), feeds, first_in_float=3) == build(3)


def test_a_graph_with_nothing_to_quantise_stays_as_it_is(feeds):
    assert quantised(build(0), feeds, last_in_float=False) == build(0)
    assert quantised(build(1), feeds, last_in_float=True) == build(1)


def test_same_scans_same_bytes(feeds):
    first, second = (quantised(build(2), feeds, last_in_float=False) for _ in range(2))
    assert first == second
