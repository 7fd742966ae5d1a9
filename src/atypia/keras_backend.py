"""Keras, imported at the last moment and quietly: only training needs it."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from atypia.errors import MissingExtra


@cache
def keras() -> Any:
    """Return the module keras; raise MissingExtra where it is not installed."""
    if not available():
        raise MissingExtra("Training a network", "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with warnings.catch_warnings(), _without_greetings():
        warnings.simplefilter("ignore")
        try:
            import keras as module
        except ImportError as error:  # Keras without the backend that it is set to use
            raise MissingExtra(f"Training a network ({error})", "train") from error
        if module.backend.backend() == "tensorflow":
            _same_numbers_again()
    return module


def _same_numbers_again() -> None:
    """Ask TensorFlow for the same numbers from the same seed; on a processor this costs no time.

    Operations one after the other, each still on all cores: side by side, they add up in changing order.
    """
    import tensorflow

    with contextlib.suppress(RuntimeError):  # a program that already used TensorFlow has chosen for itself
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()


def available() -> bool:
    """Tell whether Keras is installed, without importing it."""
    return importlib.util.find_spec("keras") is not None


@contextlib.contextmanager
def _without_greetings() -> Iterator[None]:
    """Drop what TensorFlow's C++ part prints while it is imported; errors come as exceptions all the same."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
