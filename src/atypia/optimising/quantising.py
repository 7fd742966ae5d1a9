"""A graph whose convolutions compute in 8-bit integers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from atypia.onnx_session import Feed
from atypia.scratch import Scratch

KINDS = ("Conv", "MaxPool", "Relu", "Clip")
"""What is quantised: convolutions, and what passes their numbers on. The arithmetic of scores stays float."""


def quantised(
    graph: bytes, feeds: Sequence[Feed], *, first_in_float: int = 0, last_in_float: bool = False
) -> bytes:
    """Return the graph with its convolutions in 8 bits; as it is where none are left to be.

    Weights are symmetric int8 with a scale for each output channel, activations uint8 with a scale for each
    tensor, after Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, equation 1. Each range is the mean over single scans of the
    least and the greatest value, so that no one scan stretches it. The graph has quantisation and
    dequantisation around each operation (QDQ), which the runtimes fuse. `feeds` are what it was fed for
    healthy scans.
    The first `first_in_float` convolutions stay as they are, for they cost most in likeness. With
    `last_in_float` so do those whose values reach an output through no other convolution: the numbers that
    scores are made of are not rounded to 256 steps.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    plain = _simplified(graph)
    convolutions = [node.name for node in plain.graph.node if node.op_type == "Conv"]
    kept = convolutions[:first_in_float] + (_last_convolutions(plain.graph) if last_in_float else [])
    if set(kept) >= set(convolutions):
        return graph
    with Scratch() as folder, _quiet():
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(plain, before)
        quantize_static(
            before,
            after,
            _one_by_one(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(KINDS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"CalibMovingAverage": True},
        )
        return after.read_bytes()


def _simplified(graph: bytes) -> Any:
    """Return the model with constants folded and shapes inferred, each node named, as the quantiser needs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with Scratch() as folder:
        path = Path(folder) / "simplified.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
    for place, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{place}"
    return model


def _last_convolutions(graph: Any) -> list[str]:
    """Return the names of the convolutions from which an output is reached through no other one."""
    reaching, last = {put.name for put in graph.output}, []
    for node in reversed(graph.node):
        if reaching.isdisjoint(node.output):
            continue
        if node.op_type == "Conv":
            last.append(node.name)
        else:
            reaching.update(node.input)
    return last


def _one_by_one(feeds: Sequence[Feed]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._scans = _single(feeds)

        def get_next(self) -> Feed | None:
            return next(self._scans, None)

    return Reader()


def _single(feeds: Sequence[Feed]) -> Iterator[Feed]:
    """Yield the feeds scan by scan; what has no scans to it, as a setting, goes with each."""
    for feed in feeds:
        count = max(np.shape(array)[0] for array in feed.values() if np.ndim(array) > 1)
        for place in range(count):
            yield {
                name: array[place : place + 1] if np.ndim(array) and len(array) == count else array
                for name, array in feed.items()
            }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice, which is for its own command line, from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
