"""Restoration: a network that undoes many corruptions of healthy scans restores others to what is healthy."""

from __future__ import annotations

from typing import ClassVar, final

from atypia.detectors.batch import PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.network_detector import Trained
from atypia.detectors.restoring import RestoringDetector
from atypia.errors import BadOption
from atypia.networks.corruption import corrupt
from atypia.networks.unet import WIDTHS


@final
class Restoration(RestoringDetector):
    """An ensemble of restorations; map, score and reconstruction as `RestoringDetector` has them.

    In training, x_t = (1 - t m) x_0 + t m x_c (Naval Marimont et al., "DISYRE: diffusion-inspired synthetic
    restoration for unsupervised anomaly detection", ISBI 2024): in a soft irregular region m of the brain, a
    healthy scan x_0 goes over into what a corruption makes of it, by the strength t. The corruptions are
    brighter or darker tissue, coarse noise, holes, tissue of another scan, another scan that shines through,
    and blur (`atypia.networks.corruption`); some scans have coarse noise all over the head as well. A U-Net
    that is told t learns argmin E w |f(x_t, t) - x_0|^2, where w is 1 in the head and up to 10 in the region.
    In scoring, each of `strengths` is told in turn, and map and restored picture are the means over them, as
    Naval Marimont et al., "Ensembled cold-diffusion restorations for unsupervised anomaly detection", MICCAI
    2024, ensemble restorations for different degrees of abnormality. Not as there: other corruptions, one
    step for each strength (no chain from the strongest to none), a smaller network, and whole slices.
    A stronger one takes more out, of healthy scans as well.
    """

    name: ClassVar[str] = "restoration"
    settings: ClassVar[tuple[str, ...]] = (
        "strengths",
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
        strengths: tuple[float, ...] = (0.2, 0.4, 0.6),
        steps: int = 1000,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        widths: tuple[int, ...] = WIDTHS,
        reduction: int = 2,
        smoothing: float = 4.0,
        median: int = 0,
        top: float = 0.01,
    ) -> None:
        self.threads, self.strengths = threads, strengths
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.widths, self.reduction = widths, reduction
        self.smoothing, self.median, self.top = smoothing, median, top
        if not strengths or not all(0 < strength <= 1 for strength in strengths):
            raise BadOption(f"Expected one or more strengths in (0, 1]; received {strengths}.")
        self._check_training()

    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        return self._restorer(healthy, context, corrupt, "squared", self.strengths)
