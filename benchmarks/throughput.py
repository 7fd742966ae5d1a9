"""Scoring throughput, decode to verdict, against the bare ONNX Runtime forward of the same networks.

    python benchmarks/throughput.py MODEL SCANS [--images 256] [--rounds 5]

Both are run in turn, round by round, in one process, and the median of the rounds is told with their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

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
    bare, whole = [], []
    for _ in range(asked.rounds):
        started = time.perf_counter()
        for batch in prepared:
            screener.detector.score(batch)
        bare.append(count / (time.perf_counter() - started))
        started = time.perf_counter()
        judged = sum(1 for finding in screener.score(rows, heatmaps=False) if finding.error is None)
        whole.append(judged / (time.perf_counter() - started))
    ratios = [w / b for w, b in zip(whole, bare, strict=True)]
    print(f"{count} images, {asked.rounds} rounds, medians")
    print(f"forward alone      {statistics.median(bare):7.1f} images/s")
    print(f"decode to verdict  {statistics.median(whole):7.1f} images/s")
    print(
        f"ratio              {statistics.median(ratios):7.2f} (from {min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
