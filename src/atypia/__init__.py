"""Atypia learns what healthy brain scans look like and says of a new scan how far it departs from that.

Research use only. Not a medical device.

These names are the whole public interface. Each is imported when it is first used, so that `import atypia`
costs nothing and scoring never loads what only training needs.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atypia.datasets.phantom import phantom_image
    from atypia.errors import AtypiaError
    from atypia.evaluation.evaluation import Evaluation, evaluate
    from atypia.preparation import Preparation
    from atypia.reading.collection import Collection, read_collection
    from atypia.reading.picture import read_picture
    from atypia.report.report import write_report
    from atypia.scan import Finding, Scan
    from atypia.screener import Screener
    from atypia.threshold import Threshold

    __version__: str

# ONNX Runtime, from 1.29 on, tells its maker of each network that is opened, unless this stands beforehand.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "AtypiaError",
    "Collection",
    "Evaluation",
    "Finding",
    "Preparation",
    "Scan",
    "Screener",
    "Threshold",
    "__version__",
    "evaluate",
    "phantom_image",
    "read_collection",
    "read_picture",
    "write_report",
]

_HOMES = {
    "AtypiaError": "errors",
    "Collection": "reading.collection",
    "Evaluation": "evaluation.evaluation",
    "Finding": "scan",
    "Preparation": "preparation",
    "Scan": "scan",
    "Screener": "screener",
    "Threshold": "threshold",
    "evaluate": "evaluation.evaluation",
    "phantom_image": "datasets.phantom",
    "read_collection": "reading.collection",
    "read_picture": "reading.picture",
    "write_report": "report.report",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home (PEP 562) and keep it."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("atypia")
    elif name in _HOMES:
        value = getattr(import_module(f"atypia.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'atypia' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
