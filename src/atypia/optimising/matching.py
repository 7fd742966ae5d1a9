"""Maps of an encoder of less precision, brought back to the levels and the contrasts that they had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from atypia.onnx_session import Feed, Session, open_session

FLAT = 1e-12
"""A channel whose variance is less is only shifted."""

Floats = NDArray[np.float64]


def matched(before: bytes, after: bytes, feeds: Sequence[Feed]) -> bytes:
    """Return the graph `after` with a factor and an offset for each channel of its outputs (..., C).

    They are those that bring it nearest, by least squares over `feeds`, to what the graph `before` gives:
    rounding shifts the means and shrinks the contrasts of whole channels, which can be made up for. Nagel et
    al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.2,
    make up for the means. `feeds` are what both are fed for healthy scans.
    Raises CorruptArtefact where a graph is not usable.
    """
    sessions = open_session(before, "The graph"), open_session(after, "The reduced graph")
    model = onnx.load_from_string(after)
    for output, moments in enumerate(_moments(*sessions, feeds)):
        name = model.graph.output[output].name
        factor, offset = (values.astype(np.float32) for values in _line(moments))
        reduced, scaled = f"{name}_reduced", f"{name}_scaled"
        _rename(model.graph, name, reduced)
        constants = {f"{name}_factor": factor, f"{name}_offset": offset}
        model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
        model.graph.node.append(helper.make_node("Mul", [reduced, f"{name}_factor"], [scaled]))
        model.graph.node.append(helper.make_node("Add", [scaled, f"{name}_offset"], [name]))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _moments(old: Session, new: Session, feeds: Sequence[Feed]) -> list[Floats]:
    """Return for each output (5, C): the count, and the sums of old, new, their product and new squared."""
    found: list[Floats] = []
    for feed in feeds:
        pairs = zip(old.run(None, feed), new.run(None, feed), strict=True)
        sums = [
            _sums(*(maps.reshape(-1, maps.shape[-1]).astype(np.float64) for maps in pair)) for pair in pairs
        ]
        found = [one + more for one, more in zip(found, sums, strict=True)] if found else sums
    return found


def _sums(old: Floats, new: Floats) -> Floats:
    count = np.full(old.shape[1], float(len(old)))
    return np.stack([count, old.sum(0), new.sum(0), (old * new).sum(0), (new * new).sum(0)])


def _line(moments: Floats) -> tuple[Floats, Floats]:
    """Return the factors and the offsets (C,) of least squares."""
    count, old, new, product, square = moments
    variance = square / count - (new / count) ** 2
    shared = product / count - old * new / count**2
    factor = np.where(variance > FLAT, shared / np.maximum(variance, FLAT), 1.0)
    return factor, (old - factor * new) / count


def _rename(graph: Any, name: str, other: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, one in enumerate(names):
                if one == name:
                    names[place] = other
