"""Keras, imported at the last moment and quietly: only training needs it."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from atypia.errors import BadOption, MissingExtra

PRECISION, JIT = "ATYPIA_PRECISION", "ATYPIA_JIT"
"""Environment variables: auto, or what is wanted whatever the machine."""
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
JITS = {"yes": True, "no": False}
# The first generations of Nvidia's GPUs whose matrix units know these numbers.
BFLOAT16, FLOAT16 = (8, 0), (7, 0)

Capability = tuple[int, int]


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
            _one_after_the_other()
            if not chosen("tensorflow", gpu("tensorflow"), os.environ).jit:
                _same_numbers_again()
    return module


def _one_after_the_other() -> None:
    """Run operations one after the other, each still on all cores: side by side they add up in any order."""
    import tensorflow

    with contextlib.suppress(RuntimeError):  # a program that already used TensorFlow has chosen for itself
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def _same_numbers_again() -> None:
    """Ask TensorFlow for the same numbers from the same seed; on a processor this costs no time.

    It refuses to compile then, so that what is compiled on a GPU gives nearly the same numbers again.
    """
    import tensorflow

    tensorflow.config.experimental.enable_op_determinism()


class Acceleration(NamedTuple):
    """The numbers that a network computes with while it is trained, and whether Keras compiles the step.

    Weights are float32 in any case, and so is what is exported.
    """

    precision: str
    jit: bool


def acceleration() -> Acceleration:
    """Return how networks are trained here; raise BadOption where a variable asks for what there is not."""
    backend = keras().backend.backend()
    return chosen(backend, gpu(backend), os.environ)


def chosen(backend: str, capability: Capability | None, asked: Mapping[str, str]) -> Acceleration:
    """Return how to train with a Keras backend on a GPU of this capability; None is a processor.

    A processor is never asked for fewer digits unless it is told to. JAX is unusably slow uncompiled,
    PyTorch's compiler is left alone, and TensorFlow's is for GPUs.

    >>> chosen("tensorflow", (9, 0), {})
    Acceleration(precision='bfloat16', jit=True)
    >>> chosen("tensorflow", None, {})
    Acceleration(precision='float32', jit=False)
    """
    precision = _asked(asked, PRECISION, POLICIES) or _precision(capability)
    jit = _asked(asked, JIT, JITS)
    automatic = backend == "jax" or (backend == "tensorflow" and capability is not None)
    return Acceleration(precision, automatic if jit is None else JITS[jit])


def _asked(asked: Mapping[str, str], name: str, known: Mapping[str, Any]) -> str | None:
    value = asked.get(name, "auto")
    if value != "auto" and value not in known:
        raise BadOption(
            f"Expected auto, {', '.join(known)} in the environment variable {name}; received {value!r}."
        )
    return None if value == "auto" else value


def _precision(capability: Capability | None) -> str:
    if capability is None or capability < FLOAT16:
        return "float32"
    return "bfloat16" if capability >= BFLOAT16 else "float16"


@cache
def gpu(backend: str) -> Capability | None:
    """Return the compute capability of the GPU that a backend sees, (0, 0) where it tells none; else None."""
    if backend == "tensorflow":
        import tensorflow

        found = tensorflow.config.list_physical_devices("GPU")
        details = tensorflow.config.experimental.get_device_details(found[0]) if found else {}
        return details.get("compute_capability", (0, 0)) if found else None
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "gpu":
            return None
        major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
        return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
    return None


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
