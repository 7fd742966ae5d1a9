"""How much of a figure is the leak: one recipe on a leaking and on a leak-free split, and the difference.

    python benchmarks/illusion.py LEAKING.csv LEAKING/findings.csv CLEAN.csv CLEAN/findings.csv [--root DATA]

The findings are those of `atypia reproduce reference`. Groups are drawn anew on each side by itself.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from atypia.evaluation.resampling import GroupBootstrap
from atypia.evaluation.weighted import Ranking
from atypia.reading.collection import read_collection


def sampled(table: Path, findings: Path, root: Path | None, seed: int) -> dict[str, np.ndarray]:
    """Return AUROC, accuracy, sensitivity, specificity of the findings, first as they are, then resampled."""
    rows = {row.name: row for row in read_collection(table, root=root)}
    with findings.open(encoding="utf-8", newline="") as file:
        found = [entry for entry in csv.DictReader(file) if entry["verdict"] in ("normal", "abnormal")]
    labels = np.array([rows[entry["name"]].label == "abnormal" for entry in found])
    scores = np.array([float(entry["score"]) for entry in found])
    flagged = np.array([entry["flagged"] == "true" for entry in found])
    ranking = Ranking.of(scores, labels)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        caught = (weights * (flagged & labels)).sum(1) / (weights * labels).sum(1)
        passed = (weights * (~flagged & ~labels)).sum(1) / (weights * ~labels).sum(1)
        right = (weights * (flagged == labels)).sum(1) / weights.sum(1)
        return {
            "AUROC": ranking.auroc(weights),
            "accuracy": right,
            "sensitivity": caught,
            "specificity": passed,
        }

    drawn = GroupBootstrap.of([rows[entry["name"]].group for entry in found], labels, seed=seed)
    once, many = measure(np.ones((1, len(labels)))), drawn.sample(measure).values
    return {name: np.concatenate([once[name], many[name]]) for name in once}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("leaking", "leaking_findings", "clean", "clean_findings"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--root", type=Path)
    asked = parser.parse_args()
    leaking = sampled(asked.leaking, asked.leaking_findings, asked.root, seed=0)
    clean = sampled(asked.clean, asked.clean_findings, asked.root, seed=1)
    print("| figure | leaking | leak-free | difference (95 %) |")
    print("|---|---|---|---|")
    for name in leaking:
        low, high = np.quantile(leaking[name][1:] - clean[name][1:], [0.025, 0.975])
        first, second = leaking[name][0], clean[name][0]
        print(f"| {name} | {first:.3f} | {second:.3f} | {first - second:+.3f} ({low:+.3f} to {high:+.3f}) |")


if __name__ == "__main__":
    main()
