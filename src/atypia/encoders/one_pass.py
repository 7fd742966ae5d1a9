"""Encoders that have one network between them run it once for the same pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.onnx_session.listening import EAR
from atypia.scan import Image

Maps = list[NDArray[np.float32]]


@final
class OnePass:
    """What each network last gave: by its fingerprint the pixels, and the maps, which none may write to."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Image, Maps]] = {}

    def maps(self, network: str, pixels: Image, run: Callable[[Image], Maps]) -> Maps:
        """Return what a network gives of these very pixels; it is run where that is not kept."""
        before, maps = self._kept.get(network, (None, []))
        if before is not pixels:
            maps = run(pixels)
            for layer in maps:
                layer.flags.writeable = False
            self._kept[network] = pixels, maps
        return maps


ONE_PASS: ContextVar[OnePass | None] = ContextVar("one_pass", default=None)


@contextmanager
def one_pass() -> Iterator[None]:
    """Keep, for a while and for this thread, what each network last gave, for others that have the same.

    Networks are the same where their graphs are, but for the averages that `on_one_grid` puts at the end.
    Pixels are the same where they are one array. Who listens to graphs hears each as it was saved.
    """
    if EAR.get() is not None:
        yield
        return
    token = ONE_PASS.set(OnePass())
    try:
        yield
    finally:
        ONE_PASS.reset(token)
