"""Scoring throughput, decode to verdict, against the bare ONNX Runtime forward of the same networks.

    python benchmarks/throughput.py MODEL SCANS [--images 256] [--rounds 5]

All are run in turn, round by round, in one process, and the medians of the rounds are told with their ratios.
The forward is run twice: with sessions opened as ONNX Runtime does by default, where waiting threads spin,
and as a Screener opens them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

from atypia.detectors import Batch
from atypia.loading import in_batches, load
from atypia.reading.collection import read_collection
from atypia.screener import Screener

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--judge-all", action="store_true", help="without the check of fitness")
    asked = parser.parse_args()
    screener = Screener.load(asked.model)
    screener.use_threads(asked.threads)
    rows = list(read_collection(asked.scans, root=asked.root))[: asked.images]
    prepared = [
        batch for _, batch in in_batches(load(rows, screener.preparation), BATCH) if batch is not None
    ]
    count = sum(len(batch) for batch in prepared)
    for batch in prepared[:2]:
        screener.detector.score(batch)
    with default_sessions():
        default = Screener.load(asked.model)
        default.use_threads(asked.threads)
        default.detector.score(prepared[0])
    plain, bare, whole = [], [], []
    for _ in range(asked.rounds):
        plain.append(forward(default, prepared, count))
        bare.append(forward(screener, prepared, count))
        started = time.perf_counter()
        verdicts = screener.score(rows, heatmaps=False, judge_all=asked.judge_all)
        judged = sum(1 for finding in verdicts if finding.error is None)
        whole.append(judged / (time.perf_counter() - started))
    print(f"{count} images, {asked.rounds} rounds, medians")
    print(f"decode to verdict             {statistics.median(whole):7.1f} images/s")
    for label, rates in (("ONNX Runtime's defaults", plain), ("as a Screener opens it", bare)):
        ratios = [w / b for w, b in zip(whole, rates, strict=True)]
        spread = f"from {min(ratios):.2f} to {max(ratios):.2f}"
        print(f"forward, {label:23} {statistics.median(rates):5.1f} images/s, ", end="")
        print(f"ratio {statistics.median(ratios):.2f} ({spread})")


def forward(screener: Screener, prepared: list[Batch], count: int) -> float:
    """Return the images per second of the networks alone."""
    started = time.perf_counter()
    for batch in prepared:
        screener.detector.score(batch)
    return count / (time.perf_counter() - started)


@contextmanager
def default_sessions() -> Iterator[None]:
    """Open sessions without the option that lets threads sleep."""
    entry = onnxruntime.SessionOptions.add_session_config_entry
    onnxruntime.SessionOptions.add_session_config_entry = lambda *_: None
    try:
        yield
    finally:
        onnxruntime.SessionOptions.add_session_config_entry = entry


if __name__ == "__main__":
    main()
