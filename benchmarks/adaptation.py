"""What training the encoder on with healthy scans is worth: detectors with and without it, on several seeds.

    python benchmarks/adaptation.py --data DIR -o OUT TABLE... [--steps N] [--encoder NAME] [--weights FILE]
        [--detectors NAME ...] [--seeds N ...]

The tables hold the splits train, threshold and test. Finished rows are kept in OUT and not run again.
Detectors that read the same layers share the adapted encoder of a seed: each would have made the same.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from atypia.detectors import encoded_healthy
from atypia.detectors.adapting import adapted
from atypia.detectors.fit_context import FitContext
from atypia.detectors.making import make_detector
from atypia.detectors.views import Views
from atypia.encoders import Encoder
from atypia.evaluation.evaluation import evaluate
from atypia.networks.checkpoint import History
from atypia.reading.collection import read_collection
from atypia.screener import Screener


class Shared:
    """`adapted`, remembering what it made, and the seconds that it took."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], tuple[Encoder, History]] = {}
        self.seconds = 0.0

    def __call__(
        self, encoder: Encoder, views: Views, context: FitContext, steps: int
    ) -> tuple[Encoder, History]:
        key = views.fingerprint(encoder.fingerprint), context.seed, steps
        if key not in self._known:
            started = time.perf_counter()
            self._known[key] = adapted(encoder, views, context, steps)
            self.seconds = time.perf_counter() - started
        return self._known[key]


def run(name: str, steps: int, seed: int, table: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Fit and evaluate one detector on one table."""
    rows = read_collection(table, root=asked.data)
    detector = make_detector(name, encoder=asked.encoder, weights=asked.weights, settings={"adapt": steps})
    screener = Screener(detector, fitness=False)
    screener.fit(rows, seed=seed)
    test = rows.select(split="test")
    findings = screener.score(test, heatmaps=True)
    found = evaluate(findings, test, pixel_threshold=screener.healthy_map_.threshold)
    return {"table": table.stem, "detector": name, "steps": steps, "seed": seed, **found.to_dict()}


def line(found: dict[str, Any]) -> str:
    """Return one row of the table."""
    image, pixel = found["image"], found["pixel"]
    low, high = image["intervals"]["auroc"]
    place = f"{pixel['average_precision']:.3f}" if pixel else ""
    return (
        f"| {found['table']} | {found['detector']} | {found['seed']} | {found['steps']} | "
        f"{image['auroc']:.3f} ({low:.3f} to {high:.3f}) | {place} | {found['adapting_seconds']:.0f} |"
    )


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--detectors", nargs="+", default=["nearest", "patchcore"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    shared = Shared()
    encoded_healthy.adapted = shared
    print("| table | detector | seed | steps | image AUROC | pixel AP | adapting, s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for seed in asked.seeds:
        for table in asked.tables:
            for steps in (0, asked.steps):
                for name in asked.detectors:
                    file = asked.out / f"{table.stem}-{asked.encoder}-{name}-{steps}-{seed}.json"
                    if not file.exists():
                        found = run(name, steps, seed, table, asked)
                        found["adapting_seconds"] = shared.seconds if steps else 0.0
                        file.write_text(json.dumps(found), encoding="utf-8")
                    print(line(json.loads(file.read_text(encoding="utf-8"))), flush=True)


if __name__ == "__main__":
    main()
