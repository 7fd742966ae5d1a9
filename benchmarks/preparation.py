"""What each step of the preparation is worth: detectors fitted with one parameter changed at a time.

    python benchmarks/preparation.py --data DIR -o OUT TABLE... [--weights FILE] [--detectors NAME ...]

The tables hold the splits train, threshold and test. Finished rows are kept in OUT and not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from atypia.detectors import DETECTORS, Detector, Nearest
from atypia.evaluation.evaluation import evaluate
from atypia.preparation import Preparation
from atypia.reading.collection import read_collection
from atypia.screener import Screener

VARIANTS: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "not upright": {"upright": False},
    "interior by a rim of one width": {"interior": "rim"},
    "intensity by tissue": {"intensity": "tissue"},
    "bias field evened out": {"bias_field": True},
    "not cropped": {"crop": False},
}


def run(name: str, options: dict[str, Any], table: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Fit and evaluate one detector on one table with one preparation."""
    rows = read_collection(table, root=asked.data)
    screener = Screener(_detector(name, asked.weights), Preparation(**options), fitness=False)
    started = time.perf_counter()
    screener.fit(rows, seed=asked.seed)
    fitted = time.perf_counter()
    test = rows.select(split="test")
    findings = screener.score(test, heatmaps=True)
    found = evaluate(findings, test, pixel_threshold=screener.healthy_map_.threshold)
    seconds = {"fit_seconds": fitted - started, "test_seconds": time.perf_counter() - fitted}
    return {"table": table.stem, "detector": name, **seconds, **found.to_dict()}


def _detector(name: str, weights: Path | None) -> Detector:
    if name == Nearest.name:
        return Nearest("resnet50" if weights else "auto", weights)
    return DETECTORS[name]()


def line(variant: str, found: dict[str, Any]) -> str:
    """Return one row of the table."""
    image, pixel = found["image"], found["pixel"]
    low, high = image["intervals"]["auroc"]
    places = f"{pixel['average_precision']:.3f} | {pixel['best_dice']:.3f}" if pixel else " | "
    return (
        f"| {found['table']} | {found['detector']} | {variant} | "
        f"{image['auroc']:.3f} ({low:.3f} to {high:.3f}) | {places} | {found['fit_seconds']:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--detectors", nargs="*", default=["nearest"])
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    print("| split | detector | preparation | image AUROC (95 %) | pixel AP | best Dice | fit, s |")
    print("|---|---|---|---|---|---|---|")
    for table in asked.tables:
        for name in asked.detectors:
            for variant in asked.only:
                kept = asked.out / f"{table.stem}-{name}-{variant.replace(' ', '-')}.json"
                if not kept.exists():
                    kept.write_text(json.dumps(run(name, VARIANTS[variant], table, asked), indent=1))
                print(line(variant, json.loads(kept.read_text())), flush=True)


if __name__ == "__main__":
    main()
