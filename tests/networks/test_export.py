from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest

from atypia.errors import AtypiaError, MissingExtra
from atypia.keras_backend import keras
from atypia.networks.export import OUTPUTS, check_export, to_onnx
from atypia.networks.recipe import RECIPES


@pytest.fixture(scope="module")
def exported(small):
    network = small(RECIPES["autoencoder"])
    return network, to_onnx(network.scorer())


def test_inputs_and_outputs_have_names_and_any_number_of_scans(exported):
    network, graph = exported
    model = onnx.load_from_string(graph).graph
    assert [put.name for put in model.input] == list(network.feed)
    assert tuple(put.name for put in model.output) == OUTPUTS
    assert all(not put.type.tensor_type.shape.dim[0].HasField("dim_value") for put in model.input)


def test_nothing_of_this_machine_is_in_the_graph(exported):
    _, graph = exported
    for trace in (str(Path.cwd()), str(Path.home()) + "/", "/tmp"):
        assert trace.encode() not in graph


def test_one_scan_gives_what_the_same_scan_gives_among_others(exported, run_onnx):
    network, graph = exported
    together = run_onnx(graph, network.feed)
    alone = run_onnx(graph, {name: values[3:4] for name, values in network.feed.items()})
    for one, many in zip(alone, together, strict=True):
        assert np.allclose(one[0], many[3], atol=1e-5)


def test_a_backend_that_cannot_train_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(keras().backend, "backend", lambda: "openvino")
    with pytest.raises(
        AtypiaError, match=r"\(tensorflow, torch, jax\), received openvino\. Set .* KERAS_BACK"
    ):
        check_export()


@pytest.mark.parametrize(
    ("backend", "there", "fine"),
    [
        ("jax", {"tensorflow", "tf2onnx"}, True),
        ("jax", {"torch", "onnxscript"}, False),
        ("torch", {"tensorflow", "tf2onnx"}, True),
        ("torch", {"torch", "onnxscript"}, True),
        ("torch", {"torch", "tensorflow"}, False),
    ],
)
def test_what_exports_must_be_there(monkeypatch, backend, there, fine):
    monkeypatch.setattr(keras().backend, "backend", lambda: backend)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    if fine:
        assert check_export() is None
    else:
        with pytest.raises(MissingExtra, match=r"Exporting a network \(.*tf2onnx"):
            check_export()


def test_a_missing_converter_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "atypia\[train\]"'):
        check_export()


@pytest.mark.parametrize("name", ["reference", "batch-norm"])
def test_a_wide_layer_is_written_by_hand_and_computes_the_same(small, run_onnx, monkeypatch, name):
    network = small(RECIPES[name])
    monkeypatch.setattr("atypia.networks.export.WIDE", 100)
    graph = to_onnx(network.scorer())
    # The converter writes a Reshape and a MatMul.
    assert {"Flatten", "Gemm"} <= {node.op_type for node in onnx.load_from_string(graph).graph.node}
    for found, expected in zip(run_onnx(graph, network.feed), network.predicted(), strict=True):
        assert np.allclose(found, expected, atol=1e-4)
