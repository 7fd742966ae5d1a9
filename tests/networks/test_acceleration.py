from __future__ import annotations

import numpy as np
import onnx
import pytest

from atypia import keras_backend
from atypia.errors import BadOption
from atypia.keras_backend import Acceleration, chosen, keras
from atypia.networks.acceleration import building, compiled, exact
from atypia.networks.recipe import RECIPES

BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture
def asked(monkeypatch):
    """`asked(precision)` sets the variable."""
    return lambda precision: monkeypatch.setenv(keras_backend.PRECISION, precision)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_processor_computes_with_all_digits(backend):
    assert chosen(backend, None, {}) == Acceleration("float32", backend == "jax")


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((9, 0), "bfloat16"),
        ((8, 0), "bfloat16"),
        ((7, 5), "float16"),
        ((6, 1), "float32"),
        ((0, 0), "float32"),
    ],
)
def test_a_gpu_computes_in_what_it_is_quick_at(capability, precision):
    assert [chosen(backend, capability, {}) for backend in BACKENDS] == [
        Acceleration(precision, True),
        Acceleration(precision, True),
        Acceleration(precision, False),
    ]


def test_the_user_has_the_last_word():
    no = {"ATYPIA_PRECISION": "float32", "ATYPIA_JIT": "no"}
    yes = {"ATYPIA_PRECISION": "bfloat16", "ATYPIA_JIT": "yes"}
    for backend in BACKENDS:
        assert chosen(backend, (9, 0), no) == Acceleration("float32", False)
        assert chosen(backend, None, yes) == Acceleration("bfloat16", True)
        assert chosen(backend, None, {"ATYPIA_PRECISION": "auto"}) == chosen(backend, None, {})


@pytest.mark.parametrize("name", ["ATYPIA_PRECISION", "ATYPIA_JIT"])
def test_what_there_is_not_is_told_with_what_there_is(name):
    with pytest.raises(BadOption, match=rf"Expected auto, .* variable {name}; received 'float64'"):
        chosen("tensorflow", None, {name: "float64"})


def test_no_gpu_is_seen_where_there_is_none(monkeypatch):
    import tensorflow

    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda _: [])
    assert keras_backend.gpu.__wrapped__("tensorflow") is None
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(
        tensorflow.config.experimental, "get_device_details", lambda _: {"name": "of another"}
    )
    assert keras_backend.gpu.__wrapped__("tensorflow") == (0, 0)


def test_the_precision_ends_with_the_building(asked):
    asked("bfloat16")
    with building(0):
        assert keras().config.dtype_policy().name == "mixed_bfloat16"
    with pytest.raises(ZeroDivisionError), building(0):
        raise ZeroDivisionError
    assert keras().config.dtype_policy().name == "float32"


def test_what_is_exact_is_left_alone(asked):
    whole = keras().Input((2,))
    assert exact(whole) is whole
    asked("bfloat16")
    with building(0):
        few = keras().layers.Dense(1)(whole)
    assert (few.dtype, exact(few).dtype) == ("bfloat16", "float32")


def test_float16_scales_its_loss(asked):
    asked("float16")
    model = keras().Sequential([keras().Input((2,)), keras().layers.Dense(1)])
    compiled(model, keras().optimizers.SGD(0.1), "mse")
    assert isinstance(model.optimizer, keras().optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_fewer_digits_train_nearly_the_same_and_export_all(small, run_onnx, asked, name):
    exactly = small(RECIPES[name]).step()["loss"]
    asked("bfloat16")
    network = small(RECIPES[name])
    assert network.step()["loss"] == pytest.approx(exactly, rel=0.1)
    graph = network.exported_graph()
    kinds = {weights.data_type for weights in onnx.load_from_string(graph).graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    assert not kinds & {onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT16}
    casts = [
        found.i
        for node in onnx.load_from_string(graph).graph.node
        if node.op_type == "Cast"
        for found in node.attribute
    ]
    assert not {onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT16} & set(casts)
    for found, trained in zip(run_onnx(graph, network.feed), network.predicted(), strict=True):
        assert np.allclose(found, trained.astype(np.float32), atol=0.05)
