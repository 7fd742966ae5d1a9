"""From a trained Keras model to the ONNX graph that is calibrated, saved and served."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from atypia.errors import AtypiaError, MissingExtra
from atypia.keras_backend import keras
from atypia.networks.canonical import canonical
from atypia.networks.other_backend import exported_elsewhere
from atypia.networks.rebuilding import float32_twin
from atypia.scratch import Scratch

OUTPUTS = ("score", "map", "reconstruction")
BACKENDS = ("tensorflow", "torch", "jax")
# What turns TensorFlow's graphs into ONNX, and with PyTorch its own where there is no TensorFlow.
CONVERTERS, OF_TORCH = ("tensorflow", "tf2onnx"), ("torch", "onnxscript")
# Dense layers with more weights than this are not handed to the converter.
WIDE = 4_000_000
WIDE_OUTPUT = "wide"


def check_export() -> None:
    """Raise where the trained network could not be exported, before any time is spent on training.

    AtypiaError for a backend of Keras that trains nothing here, MissingExtra where a part lacks.
    """
    backend = keras().backend.backend()
    if backend not in BACKENDS:
        raise AtypiaError(
            f"Expected a Keras backend that trains and exports ({', '.join(BACKENDS)}), received {backend}. "
            "Set the environment variable KERAS_BACKEND."
        )
    missing = _missing(CONVERTERS)
    if missing and (backend != "torch" or _missing(OF_TORCH)):
        raise MissingExtra(f"Exporting a network ({', '.join(missing)})", "train")


def _missing(packages: Sequence[str]) -> list[str]:
    return [name for name in packages if importlib.util.find_spec(name) is None]


def to_onnx(model: Any, outputs: Sequence[str] = OUTPUTS) -> bytes:
    """Return the graph of a scoring model: its inputs named as in Keras, its outputs as in `outputs`.

    It computes in float32, whatever the model was trained in. A model on another backend than TensorFlow is
    exported by TensorFlow all the same, where that is installed.
    """
    check_export()
    if keras().backend.backend() != "tensorflow" and not _missing(CONVERTERS):
        return exported_elsewhere(model, outputs)
    model = float32_twin(model)
    wide = _wide_layer(model)
    graph = _converted(model if wide is None else _without(model, wide))
    if wide is not None:
        _put_in_front(graph.graph, wide)
    _rename(graph.graph, [put.name for put in graph.graph.output], list(outputs))
    canonical(graph.graph)
    graph.producer_name, graph.producer_version = "atypia", ""
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString(deterministic=True))


def _converted(model: Any) -> onnx.ModelProto:
    signature = [
        keras().InputSpec(shape=(None, *put.shape[1:]), dtype="float32", name=put.name)
        for put in model.inputs
    ]
    with Scratch() as folder, _quiet():
        if keras().backend.backend() == "tensorflow":
            _teach_erfc()
        path = Path(folder) / "network.onnx"
        model.export(path, format="onnx", verbose=False, input_signature=[signature])
        graph = onnx.load(path)
    _rename(graph.graph, [put.name for put in graph.graph.input], [put.name for put in model.inputs])
    return graph


@cache
def _teach_erfc() -> None:
    """Teach tf2onnx the complement of the error function, which TensorFlow writes for Keras' GELU."""
    from tf2onnx import utils
    from tf2onnx.handler import tf_op

    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            (shape,), (kind,) = node.output_shapes, node.output_dtypes
            given, outputs = node.input[0], node.output
            ctx.remove_node(node.name)
            one = ctx.make_const(utils.make_name("one"), np.ones((), utils.map_onnx_to_numpy_type(kind)))
            erf = ctx.make_node("Erf", [given]).output[0]
            ctx.make_node("Sub", [one.output[0], erf], outputs=outputs, shapes=[shape], dtypes=[kind])

    tf_op("Erfc")(Erfc)


def _wide_layer(model: Any) -> Any | None:
    """Return a dense layer on flattened features with so many weights that the converter would choke.

    With the 51 million of the published bottleneck the converter takes minutes and 10 GiB.
    """
    for layer in model.layers:
        if isinstance(layer, keras().layers.Dense) and math.prod(layer.kernel.shape) > WIDE:
            flat = layer.input._keras_history.operation
            if isinstance(flat, keras().layers.Flatten) and any(flat.input is put for put in model.inputs):
                return layer
    return None


def _features_of(wide: Any) -> Any:
    return wide.input._keras_history.operation.input


def _without(model: Any, wide: Any) -> Any:
    """Return the model with what the wide layer gives as an input, in place of the features it reads."""
    given = keras().Input(wide.output.shape[1:], name=WIDE_OUTPUT)
    features = _features_of(wide)
    others = [put for put in model.inputs if put is not features]
    rest = keras().Model([wide.output, *others], model.outputs)
    return keras().Model([given, *others], rest([given, *others]))


def _put_in_front(graph: onnx.GraphProto, wide: Any) -> None:
    """Write the wide layer, which is one matrix product, in front of the graph."""
    features = _features_of(wide)
    kernel = np.asarray(wide.kernel, np.float32)
    bias = np.zeros(kernel.shape[1], np.float32) if wide.bias is None else np.asarray(wide.bias, np.float32)
    names = [f"{WIDE_OUTPUT}_kernel", f"{WIDE_OUTPUT}_bias"]
    graph.initializer.extend(
        numpy_helper.from_array(w, n) for w, n in zip((kernel, bias), names, strict=True)
    )
    nodes = [
        helper.make_node("Flatten", [features.name], [f"{WIDE_OUTPUT}_flat"], axis=1),
        helper.make_node("Gemm", [f"{WIDE_OUTPUT}_flat", *names], [WIDE_OUTPUT]),
    ]
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)
    kept = [put for put in graph.input if put.name != WIDE_OUTPUT]
    shape = ["N", *features.shape[1:]]
    taken = helper.make_tensor_value_info(features.name, TensorProto.FLOAT, shape)
    del graph.input[:]
    graph.input.extend([taken, *kept])


def _rename(graph: onnx.GraphProto, old: list[str], new: list[str]) -> None:
    names = dict(zip(old, new, strict=True))
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for put in (*graph.input, *graph.output, *graph.value_info):
        put.name = names.get(put.name, put.name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' chatter and their deprecation warnings from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
