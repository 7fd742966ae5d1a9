"""Multinomial logistic regression on a few numbers, its weights read from the package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Classifier:
    """`classes` (C,) and, for F numbers, their `mean` and `spread` (F,), `weights` (C, F) and `bias` (C,).

    `low` and `high` (F,) bound the numbers to those that it was fitted on.
    """

    classes: tuple[str, ...]
    mean: Vector
    spread: Vector
    weights: NDArray[np.float64]
    bias: Vector
    low: Vector
    high: Vector

    def __call__(self, features: Vector) -> tuple[str, float]:
        """Return the likeliest class and its probability in (0, 1]."""
        found = self.probabilities(features)
        best = max(found, key=lambda name: found[name])
        return best, found[best]

    def probabilities(self, features: Vector) -> dict[str, float]:
        """Return the probability of each class, above 0; they add up to 1."""
        bounded = np.clip(features, self.low, self.high)
        logits = self.weights @ ((bounded - self.mean) / self.spread) + self.bias
        odds = np.exp(np.maximum(logits - logits.max(), -50))
        return dict(zip(self.classes, (odds / odds.sum()).tolist(), strict=True))


@cache
def load_classifier(name: str) -> Classifier:
    """Return the classifier `plane` or `sequence` of the package."""
    with (
        as_file(files("atypia.recognition") / "classifiers.npz") as path,
        np.load(path, allow_pickle=False) as held,
    ):
        arrays = {key.partition(".")[2]: held[key] for key in held.files if key.startswith(f"{name}.")}
    return Classifier(classes=tuple(arrays.pop("classes").tolist()), **arrays)
