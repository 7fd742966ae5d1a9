"""Keras, imported at the last moment: only training needs it."""

from __future__ import annotations

import importlib.util
import os
import warnings
from functools import cache
from typing import Any

from atypia.errors import MissingExtra


@cache
def keras() -> Any:
    """Return the module keras, quietly imported; raise MissingExtra where it is not installed."""
    if not available():
        raise MissingExtra("Training a network", "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras as module
    return module


def available() -> bool:
    """Tell whether Keras is installed, without importing it."""
    return importlib.util.find_spec("keras") is not None
