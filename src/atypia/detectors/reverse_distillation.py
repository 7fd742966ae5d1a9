"""Reverse distillation: a student of healthy scans rebuilds a frozen encoder's layers from a narrow code."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from atypia.detectors.network_detector import check_settings
from atypia.detectors.on_features import FeatureDetector
from atypia.networks.feature_students import Shape, Student, build_reverse_distillation
from atypia.networks.whitening import Whitening


@final
class ReverseDistillation(FeatureDetector):
    """Reverse distillation; map and score as `FeatureDetector` has them, in units of cosine distances.

    Deng and Li, "Anomaly detection via reverse distillation from one-class embedding", CVPR 2022: the loss is
    the sum over layers k of the mean of M_k = 1 - cos(F_k, D_k) (equations 1 and 2), the map the sum of the
    M_k (section 3.4). Not as there: a student of `width` channels (theirs mirrors the encoder) and whitened
    layers, which is what makes it quick on a processor.
    """

    name: ClassVar[str] = "reverse-distillation"
    settings: ClassVar[tuple[str, ...]] = (
        "scales",
        "whiten",
        "width",
        "augment",
        "steps",
        "batch_size",
        "learning_rate",
        "smoothing",
        "top",
    )

    def __init__(
        self,
        encoder: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
        scales: int = 2,
        whiten: int = 64,
        width: int = 64,
        augment: int = 1,
        steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        smoothing: float = 4.0,
        top: float = 0.03,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.scales, self.whiten, self.width, self.augment = scales, whiten, width, augment
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.smoothing, self.top = smoothing, top
        check_settings(self, {"width": 1})
        self._check_training()

    def _student(self, shapes: list[Shape], whitening: list[Whitening], seed: int) -> Student:
        return build_reverse_distillation(shapes, whitening, self.width, seed)
