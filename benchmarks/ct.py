"""The same verbs on CT: healthy against tumour, cross-validated over the healthy slices because they are few.

    python benchmarks/ct.py FOLDER [--folds 5] [--detector nearest|autoencoder]

Each healthy slice is judged by a Screener that has not seen it, each tumour slice by all, its scores
averaged. Scores of different fits are compared in standard deviations of their own healthy scores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from atypia.detectors import Autoencoder, Nearest
from atypia.evaluation.intervals import auroc_interval
from atypia.evaluation.metrics import auroc
from atypia.networks.recipe import RECIPES
from atypia.reading.collection import read_collection
from atypia.screener import Screener


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--detector", choices=["nearest", "autoencoder"], default="nearest")
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    asked = parser.parse_args()
    found = read_collection(asked.folder)
    healthy, tumour = found.select(label="normal").rows, found.select(label="abnormal").rows
    fold = np.random.default_rng(0).permutation(len(healthy)) % asked.folds
    of_healthy, of_tumour, flagged = np.zeros(len(healthy)), np.zeros(len(tumour)), []
    for number in range(asked.folds):
        detector = make(asked)
        learned = [row for row, place in zip(healthy, fold, strict=True) if place != number]
        screener = Screener(detector, fitness=False).fit(replace(found, rows=tuple(learned)))
        mine = np.flatnonzero(fold == number)
        told = list(screener.score([healthy[i] for i in mine], heatmaps=False))
        of_healthy[mine] = [depth(screener, f.score) for f in told]
        others = list(screener.score(tumour, heatmaps=False))
        of_tumour += np.array([depth(screener, f.score) for f in others]) / asked.folds
        flagged.append((np.mean([f.flagged for f in told]), np.mean([f.flagged for f in others])))
    value = auroc([*of_healthy, *of_tumour], [False] * len(healthy) + [True] * len(tumour))
    low, high = auroc_interval(value, len(tumour), len(healthy))
    false_alarms, caught = np.mean(flagged, axis=0)
    print(f"{asked.detector}: {len(healthy)} healthy and {len(tumour)} tumour CT slices, {asked.folds} folds")
    print(
        f"AUROC {value:.3f} (95 % {low:.3f} to {high:.3f}); at mean + standard deviation: "
        f"{caught:.2f} of tumours caught, {false_alarms:.2f} of healthy flagged"
    )


def make(asked: argparse.Namespace) -> Autoencoder | Nearest:
    if asked.detector == "nearest":
        return Nearest(asked.encoder, asked.weights)
    return Autoencoder(
        replace(RECIPES["autoencoder"], encoder=asked.encoder, epochs=asked.epochs), asked.weights
    )


def depth(screener: Screener, score: float) -> float:
    """Return how far a score lies above the healthy calibration scores, in their standard deviations."""
    healthy = screener.threshold_.healthy
    return float((score - healthy.mean()) / healthy.std())


if __name__ == "__main__":
    main()
