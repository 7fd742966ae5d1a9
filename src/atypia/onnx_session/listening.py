"""Hearing what graphs are fed while a detector scores: what a quantisation is calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from atypia.onnx_session.session import Session

Feed = dict[str, NDArray[np.float32]]
Ear = Callable[[bytes, Feed], None]

EAR: ContextVar[Ear | None] = ContextVar("ear", default=None)


@contextmanager
def listening(ear: Ear) -> Iterator[None]:
    """Tell `ear` each graph and what it is fed, of the sessions that are opened meanwhile in this thread."""
    token = EAR.set(ear)
    try:
        yield
    finally:
        EAR.reset(token)


@final
class Overheard:
    """A session that tells what it is fed."""

    def __init__(self, session: Session, graph: bytes, ear: Ear) -> None:
        self._session, self._graph, self._ear = session, graph, ear

    def get_inputs(self) -> Sequence[Any]:
        """Return the inputs, each with `name`, `type` and `shape`."""
        return self._session.get_inputs()

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs, as `get_inputs`."""
        return self._session.get_outputs()

    def run(self, names: Sequence[str] | None, feed: Feed) -> list[Any]:
        """Tell the feed, then run."""
        self._ear(self._graph, feed)
        return self._session.run(names, feed)
