"""The saved Screener: one zip of JSON, ONNX graphs and plain arrays; nothing is executed or unpickled."""

from __future__ import annotations

from atypia.artefact.artefact import FORMAT, Artefact, read_artefact, read_head, write_artefact
from atypia.artefact.container import HEAD, MANIFEST

__all__ = ["FORMAT", "HEAD", "MANIFEST", "Artefact", "read_artefact", "read_head", "write_artefact"]
