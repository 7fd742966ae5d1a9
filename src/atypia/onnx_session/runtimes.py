"""Which runtime a graph is to be run by, written in the graph itself."""

from __future__ import annotations

from importlib.util import find_spec

from atypia.errors import BadOption, CorruptArtefact, MissingExtra

ONNXRUNTIME, OPENVINO, OPENVINO_BF16 = "onnxruntime", "openvino", "openvino-bf16"
RUNTIMES = (ONNXRUNTIME, OPENVINO, OPENVINO_BF16)
"""Also OpenVINO with the sums and products of networks in bfloat16."""

_KEY = "atypia.runtime"


def runtime_of(graph: bytes) -> str:
    """Return the runtime of a graph; ONNX Runtime where none is written. Raises CorruptArtefact."""
    if _KEY.encode() not in graph:
        return ONNXRUNTIME
    import onnx

    try:
        entries = {entry.key: entry.value for entry in onnx.load_from_string(graph).metadata_props}
    except Exception as error:  # what protobuf raises for a damaged file has no public name
        raise CorruptArtefact(f"The graph is not a usable ONNX model: {error}") from error
    runtime = entries.get(_KEY, ONNXRUNTIME)
    if runtime not in RUNTIMES:
        raise CorruptArtefact(f"Expected a graph for {' or '.join(RUNTIMES)}; received one for {runtime!r}.")
    return str(runtime)


def marked(graph: bytes, runtime: str) -> bytes:
    """Return the graph with its runtime written in it; nothing is written for ONNX Runtime.

    Raises BadOption for a runtime that is not in RUNTIMES.
    """
    import onnx

    if runtime not in RUNTIMES:
        raise BadOption(f"Expected a runtime out of {', '.join(RUNTIMES)}; received {runtime!r}.")
    if runtime_of(graph) == runtime:
        return graph
    model = onnx.load_from_string(graph)
    others = {entry.key: entry.value for entry in model.metadata_props if entry.key != _KEY}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, others if runtime == ONNXRUNTIME else {**others, _KEY: runtime})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def demand_runtime(runtime: str) -> None:
    """Raise MissingExtra where a runtime is not installed."""
    package = runtime.partition("-")[0]
    if find_spec(package) is None:
        raise MissingExtra(f"Running a network by {package}", package)
