"""A graph run by OpenVINO, with the face of a session of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, final

import onnx

from atypia.errors import MissingInstructions
from atypia.onnx_session.listening import Feed

_TYPES = {onnx.TensorProto.FLOAT: "tensor(float)"}


@dataclass(frozen=True)
class Put:
    """One input or output; an axis of any length is None in `shape`."""

    name: str
    type: str
    shape: tuple[int | None, ...]


@final
class OpenVinoSession:
    """A graph on the processor, in full precision: what is not quantised is computed in float32.

    Left to itself OpenVINO takes bfloat16 on some processors, which changes scores: here only where asked.
    Raises MissingInstructions where that is asked of another processor.
    """

    def __init__(self, graph: bytes, threads: int | None = None, *, bfloat16: bool = False) -> None:
        import openvino

        model = onnx.load_from_string(graph).graph
        constants = {constant.name for constant in model.initializer}
        self._inputs = tuple(_put(put) for put in model.input if put.name not in constants)
        self._outputs = tuple(_put(put) for put in model.output)
        core = openvino.Core()
        if bfloat16:
            _demand_bfloat16(core)
        precision = "bf16" if bfloat16 else "f32"
        chosen: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            chosen["INFERENCE_NUM_THREADS"] = threads
        compiled = core.compile_model(core.read_model(graph, b""), "CPU", chosen)
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    def get_inputs(self) -> Sequence[Put]:
        """Return the inputs, in order."""
        return self._inputs

    def get_outputs(self) -> Sequence[Put]:
        """Return the outputs, in order."""
        return self._outputs

    def run(self, names: Sequence[str] | None, feed: Feed) -> list[Any]:
        """Return the outputs so named, or all, in order."""
        with self._lock:  # a request is one run at a time
            found = self._request.infer(dict(feed))
            arrays = [found[place].copy() for place in range(len(self._outputs))]
        by_name = {put.name: array for put, array in zip(self._outputs, arrays, strict=True)}
        return [by_name[put.name] for put in self._outputs] if names is None else [by_name[n] for n in names]


def _demand_bfloat16(core: Any) -> None:
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise MissingInstructions(
            "Expected a processor that computes in bfloat16 (lscpu lists avx512_bf16 or amx_bf16), as this "
            "Screener was optimised for; this one does not. Use the original, or optimise it anew here."
        )


def _put(value: Any) -> Put:
    tensor = value.type.tensor_type
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim)
    kind = _TYPES.get(tensor.elem_type, f"tensor({onnx.TensorProto.DataType.Name(tensor.elem_type).lower()})")
    return Put(value.name, kind, shape)
