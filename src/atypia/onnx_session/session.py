"""Opening an ONNX graph, alike for encoders and detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import onnxruntime

from atypia.errors import BadOption, CorruptArtefact, MissingExtra, MissingInstructions
from atypia.onnx_session.checking import check_graph
from atypia.onnx_session.device import providers
from atypia.onnx_session.listening import EAR, Feed, Overheard
from atypia.onnx_session.runtimes import ONNXRUNTIME, OPENVINO_BF16, demand_runtime, runtime_of


class Session(Protocol):
    """A graph that is ready to run; what it takes and gives, each with `name`, `type` and `shape`."""

    def get_inputs(self) -> Sequence[Any]:
        """Return the inputs, in order."""

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs, in order."""

    def run(self, names: Sequence[str] | None, feed: Feed) -> list[Any]:
        """Return the outputs so named, or all, in order."""


def open_session(graph: bytes, who: str, threads: int | None = None) -> Session:
    """Open a graph by the runtime that is written in it, ONNX Runtime by default, on the device there is.

    `threads` bounds the threads of one call; None leaves it to the runtime.
    Raises CorruptArtefact, naming `who`, where it is no usable model or `check_graph` refuses it,
    MissingExtra without the runtime, MissingInstructions where the processor cannot compute in the graph's
    precision, BadOption as `device`.
    """
    check_graph(graph, who)
    try:
        runtime = runtime_of(graph)
        usual = runtime == ONNXRUNTIME
        session = _usual(graph, threads) if usual else _by_openvino(graph, runtime, threads)
    except (BadOption, MissingExtra, MissingInstructions):
        raise
    except Exception as error:  # the runtimes' own exceptions share no public base class.
        raise CorruptArtefact(f"{who}: the graph is not a usable ONNX model: {error}") from error
    ear = EAR.get()
    return session if ear is None else Overheard(session, graph, ear)


def _by_openvino(graph: bytes, runtime: str, threads: int | None) -> Session:
    demand_runtime(runtime)
    from atypia.onnx_session.by_openvino import OpenVinoSession

    return OpenVinoSession(graph, threads, bfloat16=runtime == OPENVINO_BF16)


def _usual(graph: bytes, threads: int | None) -> Session:
    """Open by ONNX Runtime.

    Its threads sleep while they wait: a Screener runs two graphs in turn beside threads that read scans, and
    spinning ones would take the processor from those.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Session = onnxruntime.InferenceSession(graph, sess_options=options, providers=providers(graph))
    return session
