"""Feature autoencoder: rebuilds the feature maps of a frozen encoder through a narrow convolutional code."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, final

from atypia.detectors.on_features import FeatureDetector
from atypia.errors import BadOption
from atypia.networks.feature_students import Shape, Student, build_feature_autoencoder
from atypia.networks.whitening import Whitening

LOSSES = ("ssim", "cosine")


@final
class FeatureAutoencoder(FeatureDetector):
    """A structural feature-autoencoder; map and score as `FeatureDetector` has them.

    Meissen, Paetzold, Kaissis, Rueckert, "Unsupervised anomaly localization with structural
    feature-autoencoders", BrainLes 2022: the layers are interpolated to the finest grid and rebuilt, side by
    side, by convolutions of stride 2 with `widths` channels and back; loss and map are the mean over the
    feature maps of 1 - SSIM (`loss` ssim, in [0, 2]), or 1 - cosine similarity per cell (`cosine`).
    Not as there: another encoder, fewer and whitened features, and narrower layers.
    """

    name: ClassVar[str] = "feature-autoencoder"
    settings: ClassVar[tuple[str, ...]] = (
        "scales",
        "whiten",
        "widths",
        "loss",
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
        widths: tuple[int, ...] = (64, 96, 64),
        loss: Literal["ssim", "cosine"] = "ssim",
        augment: int = 1,
        steps: int = 600,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        smoothing: float = 4.0,
        top: float = 0.03,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.scales, self.whiten, self.widths, self.loss = scales, whiten, widths, loss
        self.augment, self.steps, self.batch_size = augment, steps, batch_size
        self.learning_rate, self.smoothing, self.top = learning_rate, smoothing, top
        if loss not in LOSSES:
            raise BadOption(f"Expected loss out of {', '.join(LOSSES)}; received {loss!r}.")
        if not widths or min(widths) < 1:
            raise BadOption(f"Expected widths above 0; received {widths}.")
        self._check_training()

    def _student(self, shapes: list[Shape], whitening: list[Whitening], seed: int) -> Student:
        return build_feature_autoencoder(shapes, whitening, self.widths, self.loss, seed)
