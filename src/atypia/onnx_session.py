"""Opening an ONNX graph with ONNX Runtime, alike for encoders and detectors."""

from __future__ import annotations

import onnxruntime

from atypia.errors import CorruptArtefact


def open_session(graph: bytes, who: str, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open a graph on the processor; raise CorruptArtefact, naming `who`, where it is no usable model.

    `threads` bounds the threads of one call; None leaves it to ONNX Runtime. Its threads sleep while they
    wait: a Screener runs two graphs in turn beside threads that read scans, and spinning ones would take the
    processor from those.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class.
        raise CorruptArtefact(f"{who}: the graph is not a usable ONNX model: {error}") from error
