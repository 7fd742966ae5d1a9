"""A detector whose graphs are of another precision, or of another runtime."""

from __future__ import annotations

import numpy as np

from atypia.detectors import Detector, PreparedSet
from atypia.detectors.subset import Subset
from atypia.errors import BadOption
from atypia.onnx_session import Feed, marked
from atypia.optimising.graphs import Feeds, feeds_of, name_of, with_graphs
from atypia.optimising.quantising import quantised
from atypia.progress import progress

FP32, INT8 = "fp32", "int8"
PRECISIONS = (FP32, INT8)
FIRST = 4
"""So many convolutions of an encoder stay as they are."""
RANGED = 64
"""So many healthy scans set the ranges of 8-bit numbers."""


def optimised(detector: Detector, healthy: PreparedSet, runtime: str, precision: str) -> Detector:
    """Return the detector with all its graphs in this precision, to be run by this runtime.

    `healthy` are prepared scans that set the ranges of 8-bit numbers.
    Raises BadOption where 8 bits are asked for and no graph has a convolution.
    """
    graphs = detector.state().graphs
    feeds: Feeds = {}
    if precision == INT8:
        spread = np.linspace(0, len(healthy) - 1, min(RANGED, len(healthy))).round().astype(np.intp)
        feeds = feeds_of(detector, Subset(healthy, np.unique(spread)))
    made: dict[str, bytes] = {}
    for name in progress(list(graphs), total=len(graphs), label="optimising", unit="graph"):
        graph = graphs[name]
        if name_of(graph) not in made:
            heard = feeds.get(name_of(graph))
            made[name_of(graph)] = _quantised(name, graph, heard) if heard else graph
    if precision == INT8 and all(name_of(new) == old for old, new in made.items()):
        raise BadOption(
            f"Nothing to quantise: the networks of the detector '{detector.name}' have no convolutions."
        )
    return with_graphs(detector, lambda graph: marked(made[name_of(graph)], runtime))


def _quantised(name: str, graph: bytes, feeds: list[Feed]) -> bytes:
    """Quantise an encoder, whose maps are compared by detectors, or a network, whose maps are scores."""
    if name.endswith("encoder"):
        return quantised(graph, feeds, first_in_float=FIRST)
    return quantised(graph, feeds, last_in_float=True)
