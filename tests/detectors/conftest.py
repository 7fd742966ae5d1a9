"""Small detectors, each fitted once for all tests, and heads for them to learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atypia.detectors import (
    Asymmetry,
    Atlas,
    Autoencoder,
    Batch,
    Denoising,
    Detector,
    Ensemble,
    FeatureAutoencoder,
    FitContext,
    Gaussian,
    Intensity,
    LesionSimulation,
    Nearest,
    PatchCore,
    PretrainedSynthetic,
    Restoration,
    ReverseDistillation,
)
from atypia.networks.recipe import RECIPES, Recipe

ENCODER = "efficientnet-lite0"
TINY = replace(
    RECIPES["autoencoder"],
    encoder=ENCODER,
    whiten=16,
    code=(8,),
    decoder=(16, 16, 8, 8),
    epochs=8,
    batch_size=8,
    learning_rate=5e-3,
    augment=0,
)
NETWORK = {"steps": 60, "batch_size": 8, "learning_rate": 5e-3, "threads": 1}

FACTORIES: dict[str, Callable[[], Detector]] = {
    "asymmetry": lambda: Asymmetry(threads=1),
    "atlas": lambda: Atlas(threads=1, retrieved=8),
    "autoencoder": lambda: Autoencoder(TINY, threads=1),
    "denoising": lambda: Denoising(widths=(8, 16), smoothing=2, **NETWORK),
    "ensemble": lambda: Ensemble([Atlas(threads=1, retrieved=8), Nearest(ENCODER, components=16, threads=1)]),
    "feature-autoencoder": lambda: FeatureAutoencoder(
        ENCODER, whiten=8, widths=(16, 8), augment=0, **NETWORK
    ),
    "gaussian": lambda: Gaussian(ENCODER, components=16, threads=1),
    "intensity": lambda: Intensity(threads=1),
    "lesion-simulation": lambda: LesionSimulation(widths=(8, 16), **NETWORK),
    "nearest": lambda: Nearest(ENCODER, components=16, threads=1),
    "patchcore": lambda: PatchCore(ENCODER, components=16, threads=1),
    "pretrained-synthetic": lambda: PretrainedSynthetic(threads=1),
    "restoration": lambda: Restoration(widths=(8, 16), strengths=(0.5, 1.0), smoothing=2, **NETWORK),
    "reverse-distillation": lambda: ReverseDistillation(ENCODER, whiten=16, width=16, augment=0, **NETWORK),
}


class Heads:
    """A prepared set in memory."""

    def __init__(self, pixels: np.ndarray, foreground: np.ndarray) -> None:
        self.pixels, self.foreground = pixels, foreground

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray) -> Batch:
        return Batch(self.pixels[indices], self.foreground[indices])


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """The shipped recipe, as small as can be."""
    return TINY


@pytest.fixture(scope="session")
def factories() -> dict[str, Callable[[], Detector]]:
    """Name of a detector -> what makes a small one."""
    return FACTORIES


@pytest.fixture(scope="session")
def heads_of(draw_heads) -> Callable[..., Heads]:
    """`heads_of(count, seed=0, lesion=0.0)` draws a prepared set."""
    return lambda count, seed=0, lesion=0.0: Heads(*draw_heads(count, seed=seed, lesion=lesion))


@pytest.fixture(scope="session")
def healthy(heads_of) -> Heads:
    """What the fitted detectors have learned from."""
    return heads_of(32)


@pytest.fixture(scope="session")
def work_of(tmp_path_factory) -> Callable[[str], Path]:
    """`work_of(name)` returns the folder that `fitted(name)` works in, where its checkpoint lies."""
    root: Path = tmp_path_factory.mktemp("works")
    return lambda name: root / name


@pytest.fixture(scope="session")
def fitted(healthy, work_of) -> Callable[[str], Detector]:
    """`fitted(name)` returns a detector that has learned from `healthy`; it is not to be changed."""
    known: dict[str, Detector] = {}

    def get(name: str) -> Detector:
        if name not in known:
            work_of(name).mkdir()
            known[name] = FACTORIES[name]().fit(healthy, FitContext(work_of(name), seed=3))
        return known[name]

    return get
