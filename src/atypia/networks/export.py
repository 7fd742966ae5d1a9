"""From a trained Keras model to the ONNX graph that is calibrated, saved and served."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from atypia.errors import AtypiaError, MissingExtra
from atypia.keras_backend import keras

OUTPUTS = ("score", "map", "reconstruction")
# Keras' backend -> the package that turns its graphs into ONNX.
CONVERTERS = {"tensorflow": "tf2onnx", "torch": "torch"}


def check_export() -> None:
    """Raise where the trained network could not be exported, before any time is spent on training.

    AtypiaError where Keras' backend cannot (TensorFlow and PyTorch can), MissingExtra where a part lacks.
    """
    backend = keras().backend.backend()
    if backend not in CONVERTERS:
        raise AtypiaError(
            f"Expected a Keras backend that exports to ONNX ({', '.join(CONVERTERS)}), received {backend}. "
            "Set the environment variable KERAS_BACKEND."
        )
    if importlib.util.find_spec(CONVERTERS[backend]) is None:
        raise MissingExtra(f"Exporting a network ({CONVERTERS[backend]})", "train")


def to_onnx(model: Any) -> bytes:
    """Return the graph of a scoring model: its inputs named as in Keras, its outputs as in OUTPUTS."""
    check_export()
    signature = [
        keras().InputSpec(shape=(None, *put.shape[1:]), dtype="float32", name=put.name)
        for put in model.inputs
    ]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "network.onnx"
        model.export(path, format="onnx", verbose=False, input_signature=[signature])
        graph = onnx.load(path)
    _rename(graph.graph, [put.name for put in graph.graph.input], [put.name for put in model.inputs])
    _rename(graph.graph, [put.name for put in graph.graph.output], list(OUTPUTS))
    graph.producer_name, graph.producer_version = "atypia", ""
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString())


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
