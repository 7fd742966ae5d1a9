"""How well heat maps agree with masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from atypia.evaluation.pixel_histogram import PixelHistogram


@dataclass(frozen=True)
class PixelMetrics:
    """Figures of merit over all pixels of all scans pooled, on the grids of the inputs.

    `best_dice` is at `best_threshold`, which was chosen with the masks: an upper bound, never a promise.
    `dice` is at `threshold`, learned from healthy scans; both are NaN where none was given.
    """

    auroc: float
    average_precision: float
    best_dice: float
    best_threshold: float
    dice: float
    threshold: float
    masked_scans: int
    normal_scans: int
    abnormal_pixels: int
    normal_pixels: int

    @classmethod
    def of(cls, pixels: PixelHistogram, masked: int, normal: int, threshold: float) -> PixelMetrics:
        """Measure the pixels of `masked` scans with masks and `normal` ones without."""
        best, best_threshold = pixels.best_dice()
        return cls(
            auroc=pixels.auroc(),
            average_precision=pixels.average_precision(),
            best_dice=best,
            best_threshold=best_threshold,
            dice=float("nan") if threshold != threshold else pixels.dice(threshold),
            threshold=threshold,
            masked_scans=masked,
            normal_scans=normal,
            abnormal_pixels=pixels.abnormal,
            normal_pixels=pixels.normal,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the block `pixel` of `metrics.json`, NaN still in it."""
        return {
            "auroc": self.auroc,
            "average_precision": self.average_precision,
            "best_dice": self.best_dice,
            "best_threshold": self.best_threshold,
            "dice": self.dice,
            "threshold": self.threshold,
            "counts": {
                "masked": self.masked_scans,
                "normal": self.normal_scans,
                "abnormal_pixels": self.abnormal_pixels,
                "normal_pixels": self.normal_pixels,
            },
        }
