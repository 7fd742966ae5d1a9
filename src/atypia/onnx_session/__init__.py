"""ONNX graphs opened alike for encoders and detectors, each by the runtime that is written in it."""

from __future__ import annotations

from atypia.onnx_session.checking import check_graph
from atypia.onnx_session.device import CPU, CUDA, DEVICE, device
from atypia.onnx_session.listening import Feed, listening
from atypia.onnx_session.runtimes import (
    ONNXRUNTIME,
    OPENVINO,
    OPENVINO_BF16,
    RUNTIMES,
    demand_runtime,
    marked,
    runtime_of,
)
from atypia.onnx_session.session import Session, open_session

__all__ = [
    "CPU",
    "CUDA",
    "DEVICE",
    "ONNXRUNTIME",
    "OPENVINO",
    "OPENVINO_BF16",
    "RUNTIMES",
    "Feed",
    "Session",
    "check_graph",
    "demand_runtime",
    "device",
    "listening",
    "marked",
    "open_session",
    "runtime_of",
]
