"""What every encoder is: a frozen network, kept as an ONNX graph and run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, final

import numpy as np

from atypia.encoders.one_grid import averaged, off_one_grid
from atypia.encoders.one_pass import ONE_PASS, Maps
from atypia.errors import BadOption, CorruptArtefact
from atypia.onnx_session import ONNXRUNTIME, open_session, runtime_of
from atypia.scan import Image


@final
@dataclass(frozen=True, eq=False)
class Encoder:
    """A frozen pretrained network, from prepared pixels to feature maps.

    `graph` is an ONNX model with one input, grey float32 (N, S, S) in [0, 1], and one output for each name
    in `cut`, in that order, float32 (N, S / stride, S / stride, C).
    The network's own preprocessing is part of the graph, so that nobody can get it wrong outside.
    `strides` and `channels` say for each cut how coarse and how deep it is.
    `threads` bounds the threads of one call; None leaves it to ONNX Runtime.
    """

    name: str
    cut: tuple[str, ...]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    graph: bytes = field(repr=False)
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.cut or not len(self.cut) == len(self.channels) == len(self.strides):
            raise ValueError(
                f"Expected a channel count and a stride for each cut. "
                f"Received: cut={self.cut}, channels={self.channels}, strides={self.strides}"
            )

    def __call__(self, pixels: Image) -> Maps:
        """Return one feature map for each cut, channels last; within `one_pass` from a pass that is shared.

        Raises BadOption for pixels that are not (N, S, S) with S a multiple of the coarsest stride, or not of
        the one size that a graph takes.
        """
        shared = ONE_PASS.get()
        if shared is None:
            return self._run(pixels)
        bare, factors = self._bare
        maps = shared.maps(bare.fingerprint, pixels, bare._run)
        return [averaged(layer, factor) for layer, factor in zip(maps, factors, strict=True)]

    def _run(self, pixels: Image) -> Maps:
        session = self._session
        only = session.get_inputs()[0].shape[1]
        if isinstance(only, int) and pixels.shape[1:] != (only, only):
            raise BadOption(
                f"Encoder {self.name}: expected pixels of shape (N, {only}, {only}), the only size that it "
                f"takes, received {pixels.shape}. Choose size {only} for the preparation, or another encoder."
            )
        step = max(self.strides)
        if pixels.ndim != 3 or pixels.shape[1] % step or pixels.shape[2] % step:
            raise BadOption(
                f"Encoder {self.name}: expected pixels of shape (N, S, S) with S a multiple of {step}, "
                f"received {pixels.shape}. Choose another size for the preparation."
            )
        feed = {session.get_inputs()[0].name: np.ascontiguousarray(pixels, dtype=np.float32)}
        outputs: Maps = session.run(None, feed)
        return outputs

    @cached_property
    def _bare(self) -> tuple[Encoder, tuple[int, ...]]:
        """The encoder without averages at its end, and over how many cells a side each map has one."""
        graph, factors = off_one_grid(self.graph, self.cut)
        # Another runtime may average in another precision.
        if max(factors) == 1 or runtime_of(graph) != ONNXRUNTIME:
            return self, (1,) * len(factors)
        strides = tuple(stride // factor for stride, factor in zip(self.strides, factors, strict=True))
        return replace(self, graph=graph, strides=strides), factors

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the graph, in hexadecimal: equal fingerprints give equal features."""
        return hashlib.sha256(self.graph).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the graph as plain JSON values; the graph is stored beside it."""
        return {
            "name": self.name,
            "cut": list(self.cut),
            "channels": list(self.channels),
            "strides": list(self.strides),
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any], graph: bytes, *, threads: int | None = None) -> Self:
        """Rebuild an encoder from `to_dict` and its graph; raise CorruptArtefact where they do not belong."""
        try:
            encoder = cls(
                name=str(stored["name"]),
                cut=tuple(str(name) for name in stored["cut"]),
                channels=tuple(int(count) for count in stored["channels"]),
                strides=tuple(int(stride) for stride in stored["strides"]),
                graph=graph,
                threads=threads,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptArtefact(
                f"The saved description of an encoder cannot be used: {error!r}."
            ) from error
        if encoder.fingerprint != stored.get("fingerprint"):
            raise CorruptArtefact(
                f"Encoder {encoder.name}: expected a graph with SHA-256 {stored.get('fingerprint')}, "
                f"received {encoder.fingerprint}. The file was damaged or changed: fit or copy it again."
            )
        return encoder

    @cached_property
    def _session(self) -> Any:
        session = open_session(self.graph, f"Encoder {self.name}", self.threads)
        self._check(session)
        return session

    def _check(self, session: Any) -> None:
        """Raise CorruptArtefact unless the graph takes grey pixels and gives one map for each cut."""
        inputs = [(put.type, len(put.shape)) for put in session.get_inputs()]
        outputs = [(put.type, len(put.shape)) for put in session.get_outputs()]
        expected = [("tensor(float)", 3)], [("tensor(float)", 4)] * len(self.cut)
        if (inputs, outputs) != expected:
            raise CorruptArtefact(
                f"Encoder {self.name}: expected a graph with inputs and outputs (type, rank) {expected}, "
                f"received {(inputs, outputs)}."
            )
