"""Healthy patients with many slices each, as exchangeable patients and unlike slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest


class Patients(NamedTuple):
    """Scores (N,) and groups (N,) of calibration slices, and the score of one slice of a new patient."""

    scores: np.ndarray
    groups: np.ndarray
    new: float


@pytest.fixture
def draw_patients(rng: np.random.Generator) -> Callable[..., Patients]:
    """`draw_patients(count, slices)` draws patients whose own slices are alike.

    `slices` is the number of slices of each, or None: then half of them have one slice with a high
    score and half have many with low ones, so that a slice at random is not one of a patient at random.
    """

    def draw(count: int, slices: int | None) -> Patients:
        many = rng.random(count + 1) < 0.5
        sizes = np.where(many, 20, 1) if slices is None else np.full(count + 1, slices)
        level = rng.normal(size=count + 1) - (2.0 * many if slices is None else 0.0)
        scores = np.repeat(level, sizes) + rng.normal(scale=0.05, size=sizes.sum())
        groups = np.repeat(np.arange(count + 1), sizes)
        old = groups < count
        return Patients(scores[old], groups[old], float(rng.choice(scores[~old])))

    return draw
