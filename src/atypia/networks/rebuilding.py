"""A Keras model as data, and the same model again: in float32, with another backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from atypia.keras_backend import acceleration, keras
from atypia.networks.network import sampling_class
from atypia.networks.normalisation import batch_normalisation_class

GRAPH, WEIGHTS = "model.json", "weights.npz"


def write_model(model: Any, folder: Path) -> None:
    """Write a functional model as JSON and plain arrays."""
    graph = _in_float32(keras().saving.serialize_keras_object(model))
    (folder / GRAPH).write_text(json.dumps(graph), encoding="utf-8")
    weights = {f"w{place}": values for place, values in enumerate(model.get_weights())}
    with (folder / WEIGHTS).open("wb") as file:
        np.savez(file, **weights)


def read_model(folder: Path) -> Any:
    """Return the model that `write_model` wrote, with whatever backend Keras has here."""
    model = _rebuilt(json.loads((folder / GRAPH).read_text(encoding="utf-8")))
    with np.load(folder / WEIGHTS, allow_pickle=False) as weights:
        model.set_weights([weights[f"w{place}"] for place in range(len(weights.files))])
    return model


def float32_twin(model: Any) -> Any:
    """Return a model of the same weights that computes in float32; the model itself if all do so here."""
    if acceleration().precision == "float32":
        return model
    twin = _rebuilt(_in_float32(keras().saving.serialize_keras_object(model)))
    twin.set_weights(model.get_weights())
    return twin


def _rebuilt(graph: Any) -> Any:
    own = {kind.__name__: kind for kind in (batch_normalisation_class(), sampling_class())}
    # What another backend calls by Keras' own name, and the other way round.
    names = ("BatchNormalisation", "BatchNormalization")
    own |= dict.fromkeys(names, batch_normalisation_class())
    return keras().saving.deserialize_keras_object(_by_name(graph, names), custom_objects=own)


def _by_name(graph: Any, names: tuple[str, ...]) -> Any:
    """Return the graph with each batch normalisation as the class that this backend trains with."""
    if isinstance(graph, list):
        return [_by_name(part, names) for part in graph]
    if not isinstance(graph, dict):
        return graph
    parts = {key: _by_name(value, names) for key, value in graph.items()}
    if parts.get("class_name") in names:
        parts |= {"module": None, "class_name": names[0], "registered_name": names[0]}
    return parts


def _in_float32(graph: Any) -> Any:
    """Return a serialised model with float32 in place of every mixed precision."""
    if isinstance(graph, list | tuple):
        return [_in_float32(part) for part in graph]
    if not isinstance(graph, dict):
        return graph
    if graph.get("class_name") == "DTypePolicy" and str(graph["config"]["name"]).startswith("mixed_"):
        return {**graph, "config": {**graph["config"], "name": "float32"}}
    return {key: _in_float32(value) for key, value in graph.items()}
