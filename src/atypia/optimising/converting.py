"""A detector whose graphs are of another precision, or of another runtime."""

from __future__ import annotations

import numpy as np

from atypia.detectors import Detector, PreparedSet
from atypia.detectors.subset import Subset
from atypia.errors import BadOption
from atypia.onnx_session import OPENVINO, OPENVINO_BF16, Feed, marked
from atypia.optimising.graphs import Feeds, feeds_of, name_of, with_graphs
from atypia.optimising.matching import matched
from atypia.optimising.quantising import quantised
from atypia.progress import progress

FP32, BF16, INT8 = "fp32", "bf16", "int8"
PRECISIONS = (FP32, BF16, INT8)
FIRST, FIRST_OF_NETWORK = 4, 2
"""So many convolutions of an encoder, and of another network, stay as they are."""
HEARD, MATCHED = 64, 4
"""So many healthy scans set the ranges of 8-bit numbers, and so many batches of them match the maps."""


def optimised(detector: Detector, healthy: PreparedSet, runtime: str, precision: str) -> Detector:
    """Return the detector with all its graphs in this precision, to be run by this runtime.

    `healthy` are prepared scans that set the ranges of 8-bit numbers, and by which maps of encoders are
    matched to what they were. Raises BadOption where 8 bits are asked for and no graph has a convolution, or
    bfloat16 of a runtime that does not offer it.
    """
    if precision == BF16 and runtime != OPENVINO:
        raise BadOption(f"Expected the runtime {OPENVINO}, which offers {BF16}; received {runtime}.")
    kind = OPENVINO_BF16 if precision == BF16 else runtime
    graphs = detector.state().graphs
    feeds: Feeds = {}
    if precision != FP32:
        spread = np.linspace(0, len(healthy) - 1, min(HEARD, len(healthy))).round().astype(np.intp)
        feeds = feeds_of(detector, Subset(healthy, np.unique(spread)))
    made: dict[str, bytes] = {}
    for name in progress(list(graphs), total=len(graphs), label="optimising", unit="graph"):
        graph = graphs[name]
        if name_of(graph) not in made:
            made[name_of(graph)] = _converted(name, graph, feeds.get(name_of(graph)), kind, precision)
    if precision == INT8 and all(made[name_of(graph)] == marked(graph, kind) for graph in graphs.values()):
        raise BadOption(
            f"Nothing to quantise: the networks of the detector '{detector.name}' have no convolutions."
        )
    return with_graphs(detector, lambda graph: made[name_of(graph)])


def _converted(name: str, graph: bytes, feeds: list[Feed] | None, kind: str, precision: str) -> bytes:
    """Convert an encoder, whose maps are compared by detectors, or a network, whose maps are scores."""
    encoder, changed = name.endswith("encoder"), graph
    if precision == INT8 and feeds:
        first = FIRST if encoder else FIRST_OF_NETWORK
        changed = quantised(graph, feeds, first_in_float=first, last_in_float=not encoder)
    changed, rough = marked(changed, kind), precision == BF16 or changed is not graph
    return matched(graph, changed, feeds[:MATCHED]) if encoder and rough and feeds else changed
