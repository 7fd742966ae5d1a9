from __future__ import annotations

import numpy as np
import pytest

from atypia.encoders.graph import GraphBuilder
from atypia.errors import BadOption, CorruptArtefact, MissingExtra, MissingInstructions
from atypia.onnx_session import RUNTIMES, listening, marked, open_session, runtime_of, runtimes


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    builder = GraphBuilder("small")
    value = builder.grey_input(scale=1.0, mean=(0.4, 0.5, 0.6))
    kernel = rng.normal(size=(4, 3, 3, 3)) / 5
    value = builder.relu(builder.convolution(value, kernel, rng.normal(size=4), padding=(1, 1)))
    return builder.build({"deep": (value, 4)})


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).random((3, 16, 16), dtype=np.float32)


def test_the_runtime_is_written_in_the_graph_and_taken_out_again(graph):
    assert runtime_of(graph) == "onnxruntime"
    assert marked(graph, "onnxruntime") == graph
    other = marked(graph, "openvino")
    assert runtime_of(other) == "openvino"
    assert marked(other, "onnxruntime") == graph


def test_a_runtime_that_is_not_known_is_refused(graph):
    with pytest.raises(BadOption, match="tensorrt"):
        marked(graph, "tensorrt")
    strange = marked(graph, "openvino").replace(b"openvino", b"opennono")
    with pytest.raises(CorruptArtefact, match="opennono"):
        open_session(strange, "A graph")


def test_openvino_gives_what_onnx_runtime_gives(graph, pixels):
    pytest.importorskip("openvino")
    usual, other = (open_session(marked(graph, runtime), "A graph", 1) for runtime in RUNTIMES[:2])
    assert [(put.name, put.type, len(put.shape)) for put in other.get_inputs()] == [
        (put.name, put.type, len(put.shape)) for put in usual.get_inputs()
    ]
    assert [put.name for put in other.get_outputs()] == ["deep"]
    expected = usual.run(None, {"pixels": pixels})[0]
    for names in (None, ["deep"]):
        np.testing.assert_allclose(other.run(names, {"pixels": pixels})[0], expected, rtol=1e-4, atol=1e-5)


def test_bfloat16_gives_nearly_what_float32_gives_where_the_processor_has_it(graph, pixels):
    openvino = pytest.importorskip("openvino")
    reduced = marked(graph, "openvino-bf16")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(MissingInstructions):
            open_session(reduced, "A graph")
        return
    found = open_session(reduced, "A graph").run(None, {"pixels": pixels})[0]
    expected = open_session(graph, "A graph").run(None, {"pixels": pixels})[0]
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_a_processor_without_bfloat16_is_told(graph, monkeypatch):
    openvino = pytest.importorskip("openvino")
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(MissingInstructions, match="avx512_bf16"):
        open_session(marked(graph, "openvino-bf16"), "A graph")


def test_openvino_keeps_what_it_gave_when_it_runs_again(graph, pixels):
    pytest.importorskip("openvino")
    session = open_session(marked(graph, "openvino"), "A graph")
    first = session.run(None, {"pixels": pixels})[0]
    kept = first.copy()
    session.run(None, {"pixels": 1 - pixels})
    np.testing.assert_array_equal(first, kept)


def test_without_openvino_the_command_that_installs_it_is_told(graph, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "atypia\[openvino\]"'):
        open_session(marked(graph, "openvino"), "A graph")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_broken_graph_is_told_as_such(graph, runtime):
    pytest.importorskip(runtime.partition("-")[0])
    broken = marked(graph, runtime)
    with pytest.raises(CorruptArtefact, match="A graph: the graph is not a usable ONNX model"):
        open_session(broken[: len(broken) // 2] + broken[-40:], "A graph")


def test_sessions_opened_meanwhile_tell_what_they_are_fed(graph, pixels):
    heard = []
    before = open_session(graph, "A graph")
    with listening(lambda which, feed: heard.append((which, feed))):
        told = open_session(graph, "A graph")
        before.run(None, {"pixels": pixels})
        found = told.run(None, {"pixels": pixels})[0]
    assert len(heard) == 1
    assert heard[0][0] == graph
    np.testing.assert_array_equal(heard[0][1]["pixels"], pixels)
    np.testing.assert_array_equal(found, before.run(None, {"pixels": pixels})[0])
    open_session(graph, "A graph").run(None, {"pixels": pixels})
    assert len(heard) == 1
