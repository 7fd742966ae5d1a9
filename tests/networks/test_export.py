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


def test_equal_networks_give_equal_bytes_with_nothing_of_this_machine_in_them(exported, small):
    _, graph = exported
    assert to_onnx(small(RECIPES["autoencoder"]).scorer()) == graph
    for trace in (str(Path.cwd()), str(Path.home()) + "/", "/tmp"):
        assert trace.encode() not in graph


def test_one_scan_gives_what_the_same_scan_gives_among_others(exported, onnx_run):
    network, graph = exported
    together = onnx_run(graph, network.feed)
    alone = onnx_run(graph, {name: values[3:4] for name, values in network.feed.items()})
    for one, many in zip(alone, together, strict=True):
        assert np.allclose(one[0], many[3], atol=1e-5)


def test_a_backend_that_cannot_export_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(keras().backend, "backend", lambda: "jax")
    with pytest.raises(AtypiaError, match=r"\(tensorflow, torch\), received jax\. Set .* KERAS_BACKEND"):
        check_export()


def test_a_missing_converter_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "atypia\[train\]"'):
        check_export()
