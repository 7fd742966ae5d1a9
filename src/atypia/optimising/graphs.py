"""A detector with other graphs that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from atypia.detectors import Detector, PreparedSet, State
from atypia.detectors.batch import batches
from atypia.onnx_session import Feed, listening

AT_ONCE = 16
Feeds = dict[str, list[Feed]]


def feeds_of(detector: Detector, healthy: PreparedSet) -> Feeds:
    """Return what each graph of a detector is fed for these scans, by the graph's SHA-256."""
    heard: Feeds = {}

    def hear(graph: bytes, feed: Feed) -> None:
        heard.setdefault(name_of(graph), []).append({name: np.array(array) for name, array in feed.items()})

    fresh = type(detector).from_state(detector.state())
    with listening(hear):
        for part in batches(len(healthy), AT_ONCE):
            fresh.score(healthy.batch(part))
    return heard


def with_graphs(detector: Detector, change: Callable[[bytes], bytes]) -> Detector:
    """Return the detector with what `change` makes of each graph.

    The graphs of an ensemble's members are among them. Where parameters name a graph by its SHA-256, as an
    encoder's do, they name the new one.
    """
    state = detector.state()
    graphs = {name: change(graph) for name, graph in state.graphs.items()}
    names = {name_of(graph): name_of(graphs[name]) for name, graph in state.graphs.items()}
    return type(detector).from_state(State(_renamed(state.parameters, names), state.arrays, graphs))


def name_of(graph: bytes) -> str:
    """Return the SHA-256 of a graph, in hexadecimal."""
    return sha256(graph).hexdigest()


def _renamed(values: Any, names: Mapping[str, str]) -> Any:
    if isinstance(values, dict):
        return {key: _renamed(value, names) for key, value in values.items()}
    if isinstance(values, list):
        return [_renamed(value, names) for value in values]
    return names.get(values, values) if isinstance(values, str) else values
