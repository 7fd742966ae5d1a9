"""Frozen pretrained networks, run by ONNX Runtime: from prepared pixels to feature maps."""

from __future__ import annotations

from atypia.encoders.base import Encoder

__all__ = ["Encoder"]
