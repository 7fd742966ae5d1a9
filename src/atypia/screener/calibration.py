"""From healthy scans that the detector has not seen to the threshold and the healthy map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Detector, PreparedSet
from atypia.detectors.batch import batches
from atypia.progress import progress
from atypia.screener.healthy_map import HealthyMap
from atypia.threshold import Threshold

BATCH = 16
PIXELS_PER_SCAN = 2000


def calibrate(
    detector: Detector, healthy: PreparedSet, rule: str, parameter: float | None
) -> tuple[Threshold, HealthyMap]:
    """Score healthy scans just as they will be in use, and learn from their scores and maps.

    Raises NotEnoughScans, and BadOption where a score is not finite.
    """
    rng = np.random.default_rng(0)
    scores: list[NDArray[np.float64]] = []
    pixels: list[NDArray[np.float32]] = []
    parts = list(batches(len(healthy), BATCH))
    for part in progress(parts, total=len(parts), label="calibrating", unit="batch"):
        batch = healthy.batch(part)
        result = detector.score(batch)
        scores.append(result.image)
        for heat, head in zip(result.map, batch.foreground, strict=True):
            pixels.append(rng.choice(heat[head], PIXELS_PER_SCAN))
    threshold = Threshold.learn(np.concatenate(scores), rule, parameter)
    return threshold, HealthyMap.learn(np.concatenate(pixels))
