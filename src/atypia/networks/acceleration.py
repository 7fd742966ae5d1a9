"""How a network is built and compiled for the machine that trains it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from atypia.keras_backend import POLICIES, acceleration, keras
from atypia.networks.seeded import seeded


@contextmanager
def building(seed: int) -> Iterator[None]:
    """Make what is built inside follow from the seed, and compute in the precision of this machine."""
    config = keras().config
    before = config.dtype_policy()
    config.set_dtype_policy(POLICIES[acceleration().precision])
    try:
        with seeded(seed):
            yield
    finally:
        config.set_dtype_policy(before)


def exact(tensor: Any) -> Any:
    """Return a Keras tensor as float32; what is float32 already is returned as it is."""
    return tensor if tensor.dtype == "float32" else keras().ops.cast(tensor, "float32")


def compiled(model: Any, optimizer: Any, loss: Any = None) -> Any:
    """Compile a Keras model for training on this machine, and return it.

    In float16 the loss is scaled, lest small gradients vanish (Micikevicius et al., "Mixed precision
    training", ICLR 2018, section 3.2).
    """
    how = acceleration()
    if how.precision == "float16":
        optimizer = keras().optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=how.jit)
    return model
