"""Denoising: a network that takes coarse noise out of healthy scans takes lesions out of others."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from atypia.detectors.batch import PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.network_detector import Trained, check_settings
from atypia.detectors.restoring import RestoringDetector
from atypia.networks.corruption import Corrupted, coarse_noise
from atypia.networks.unet import WIDTHS
from atypia.scan import Image, Mask


@final
class Denoising(RestoringDetector):
    """A denoising autoencoder on coarse noise; map, score and reconstruction as `RestoringDetector` has them.

    Kascenas, Pugeault, O'Neil, "Denoising autoencoders for unsupervised anomaly detection in brain MRI",
    MIDL 2022: a U-Net f learns argmin E |f(x + n) - x|^2 inside the head, where the noise n is drawn on a
    grid of 16x16 cells and enlarged bilinearly; |f(x) - x| is the map. As there, `cells` is 16; `noise`, its
    standard deviation, is 0.3 in units of the brain's median, which is about their 0.2 of a scan whose
    brightest is 1. Not as there: a smaller network that is trained for far fewer steps, and a Gaussian over
    the map; `median` adds their median filter, of so many prepared pixels (0 for none).
    """

    name: ClassVar[str] = "denoising"
    settings: ClassVar[tuple[str, ...]] = (
        "noise",
        "cells",
        "steps",
        "batch_size",
        "learning_rate",
        "widths",
        "reduction",
        "smoothing",
        "median",
        "top",
    )

    def __init__(
        self,
        threads: int | None = None,
        noise: float = 0.3,
        cells: int = 16,
        steps: int = 800,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        widths: tuple[int, ...] = WIDTHS,
        reduction: int = 2,
        smoothing: float = 4.0,
        median: int = 0,
        top: float = 0.01,
    ) -> None:
        self.threads, self.noise, self.cells = threads, noise, cells
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.widths, self.reduction = widths, reduction
        self.smoothing, self.median, self.top = smoothing, median, top
        check_settings(self, {"noise": 0, "cells": 2})
        self._check_training()

    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        return self._restorer(healthy, context, self._add_noise, "squared", ())

    def _add_noise(
        self, scan: Image, other: Image, head: Mask, brain: Mask, rng: np.random.Generator
    ) -> Corrupted:
        del other, brain
        noise = np.float32(self.noise) * coarse_noise(len(scan), self.cells, rng) * head
        return Corrupted(scan + noise, 1.0, np.zeros_like(scan))
