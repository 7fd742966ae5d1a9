"""What ONNX Runtime computes on: the processor, or a GPU where its build and the machine have one."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import onnxruntime

from atypia.errors import BadOption

DEVICE = "ATYPIA_DEVICE"
AUTO, CPU, CUDA = "auto", "cpu", "cuda"

ON_CPU = "CPUExecutionProvider"
ON_CUDA = "CUDAExecutionProvider"

# Products in full float32 and algorithms that are not chosen by timing them: scores stay as near to those of
# a processor, and to themselves, as they can.
_EXACT = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}

Provider = str | tuple[str, dict[str, str]]


def device() -> str:
    """Return where graphs are run: `cuda` where ONNX Runtime can, else `cpu`.

    The environment variable ATYPIA_DEVICE may say `cpu` or `cuda`, which is then demanded.
    Raises BadOption for another word, and where a GPU is demanded that cannot be used.
    """
    asked = os.environ.get(DEVICE) or AUTO
    if asked not in (AUTO, CPU, CUDA):
        raise BadOption(f"{DEVICE}: expected {AUTO}, {CPU} or {CUDA}; received {asked!r}.")
    if asked == CPU:
        return CPU
    if _cuda_works():
        return CUDA
    if asked == CUDA:
        raise BadOption(
            f"{DEVICE}={CUDA}: expected a GPU that ONNX Runtime can use; received a build or a machine "
            f"without one (it offers {', '.join(onnxruntime.get_available_providers())}). Install "
            "onnxruntime-gpu in place of onnxruntime, with the CUDA and cuDNN that it names, or set "
            f"{DEVICE}={CPU}."
        )
    return CPU


def providers(graph: bytes) -> list[Provider]:
    """Return what a graph is to be run by, the first choice first; one in 8 bits stays on the processor."""
    if device() == CPU or b"QuantizeLinear" in graph:
        return [ON_CPU]
    return [(ON_CUDA, _EXACT), ON_CPU]


@cache
def _cuda_works() -> bool:
    """Tell whether a session on the GPU can be opened: a build may have CUDA and the machine none of it."""
    if ON_CUDA not in onnxruntime.get_available_providers():
        return False
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            _smallest(), sess_options=options, providers=[(ON_CUDA, _EXACT), ON_CPU]
        )
    except Exception:  # the runtime's own exceptions share no public base class.
        return False
    return ON_CUDA in session.get_providers()


def _smallest() -> bytes:
    from onnx import TensorProto, helper

    put: Any = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "smallest", put[:1], put[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data
