"""A Screener at work on pictures that are the same everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Batch
from atypia.doctor.check import Check, note, ok, problem
from atypia.doctor.heads import heads
from atypia.loading import load_by, to_batch
from atypia.onnx_session import ONNXRUNTIME, OPENVINO, Feed, listening, marked, open_session, runtime_of
from atypia.screener import Screener

STORED: dict[str, tuple[float, ...]] = {"synthetic": (13.0661716, 11.7870045, 14.4791737, 12.9010944)}
"""Scores of `heads()` by each Screener that comes with Atypia, on the machine where it was made."""
NEAR = 1e-4
"""How much scores may differ from one machine to another, relative where they are above 1."""
RUNTIMES_NEAR = 1e-3
"""How much outputs of two runtimes may differ, by the largest of the output."""
SLOW = 1.0
"""Seconds for a scan that are more than a laptop of 2015 needs."""


@dataclass(frozen=True, eq=False)
class Run:
    """A Screener with a batch that it has scored, how long that took, and what its graphs were fed."""

    screener: Screener
    batch: Batch
    scores: NDArray[np.float64]
    heard: dict[bytes, Feed]
    load_s: float


def run(path: Path) -> Run:
    """Load a Screener, and let it score; raise what that raises."""
    heard: dict[bytes, Feed] = {}

    def hear(graph: bytes, feed: Feed) -> None:
        heard.setdefault(graph, feed)

    start = time.perf_counter()
    with listening(hear):
        screener = Screener.load(path)
        load_s = time.perf_counter() - start
        batch = to_batch(list(load_by(None, heads(), screener.preparation)))
        assert batch is not None  # they are drawn so that they can be prepared
        scores = screener.detector.score(batch).image
    return Run(screener, batch, scores, heard, load_s)


def loaded(one: Run, path: Path) -> Iterator[Check]:
    """Tell what was loaded."""
    made = one.screener.provenance.get("atypia", "?")
    told = f"{path.name}: {one.screener.detector.name}, by Atypia {made}, loaded in {one.load_s:.2f} s"
    yield ok("Screener", f"{told}; {len(one.heard)} graphs and all parts verified")


def repeated(one: Run) -> Iterator[Check]:
    """Tell whether the same pictures get the same scores again, alone as together."""
    alone = [one.screener.detector.score(_only(one.batch, place)).image[0] for place in range(len(one.batch))]
    apart = _apart(np.array(alone), one.scores)
    if not np.isfinite(one.scores).all():
        yield problem("scores", "some are no numbers. Install Atypia and its libraries anew.")
    elif apart > NEAR:
        yield problem("scores", f"differ by {apart:.1e} from one run to the next. Report this.")
    else:
        yield ok("scores", f"the same alone as together, within {max(apart, 1e-12):.0e}")


def as_stored(one: Run, *, shipped: bool) -> Iterator[Check]:
    """Tell whether the Screener that comes with Atypia scores as it did where it was made."""
    if not shipped:
        return
    apart = _apart(one.scores, np.array(STORED["synthetic"]))
    if apart > NEAR:
        yield problem(
            "stored scores",
            f"differ by {apart:.1e} from those of the machine where it was made, more than {NEAR:g}. Install "
            "Atypia with the versions of requirements.txt; if that does not help, report it.",
        )
    else:
        yield ok("stored scores", f"those of the machine where it was made, within {max(apart, 1e-9):.0e}")


def parity(one: Run) -> Iterator[Check]:
    """Tell whether OpenVINO, where installed, gives what ONNX Runtime gives for the same graph and input."""
    if not one.heard:
        yield ok("parity", "no networks to compare")
        return
    if find_spec("openvino") is None:
        yield note("parity", 'one runtime alone is installed. For OpenVINO: pip install "atypia[openvino]"')
        return
    worst, compared = 0.0, 0
    for graph, feed in one.heard.items():
        if b"QuantizeLinear" in graph or runtime_of(graph) not in (ONNXRUNTIME, OPENVINO):
            continue  # of less precision: compared with labels and ranks when it was made
        usual, other = (
            open_session(marked(graph, runtime), "parity").run(None, feed)
            for runtime in (ONNXRUNTIME, OPENVINO)
        )
        compared += 1
        for left, right in zip(usual, other, strict=True):
            worst = max(worst, float(np.abs(left - right).max() / max(1e-6, float(np.abs(left).max()))))
    if worst > RUNTIMES_NEAR:
        yield problem("parity", f"ONNX Runtime and OpenVINO differ by {worst:.1e}. Use one of them alone.")
    else:
        yield ok("parity", f"ONNX Runtime and OpenVINO agree within {worst:.0e} on {compared} graphs")


def speed(one: Run) -> Iterator[Check]:
    """Tell how long a scan takes, and whether that is odd; slow is no problem."""
    start = time.perf_counter()
    one.screener.detector.score(one.batch)
    each = (time.perf_counter() - start) / len(one.batch)
    told = f"{1000 * each:.0f} ms for a scan, in the detector alone"
    if each > SLOW:
        yield note("speed", f"{told}: slow. Is the machine busy, or has it few processors?")
    else:
        yield ok("speed", told)


def _only(batch: Batch, place: int) -> Batch:
    interior = None if batch.interior is None else batch.interior[place : place + 1]
    return Batch(batch.pixels[place : place + 1], batch.foreground[place : place + 1], interior)


def _apart(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())
