"""From healthy scans that the detector has not seen to the threshold and the healthy map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Detector, PreparedSet
from atypia.detectors.batch import batches
from atypia.processors import one_blas_thread
from atypia.progress import progress
from atypia.reading.row import Row
from atypia.scan import Scan
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.map_calibration import MapCalibration
from atypia.screener.origin import columns_of, groups_of
from atypia.screener.position_scale import Positions, PositionScale, wants_position
from atypia.threshold import Threshold

BATCH = 16


class Calibrated(NamedTuple):
    """What healthy scans gave; with a `position_scale` the threshold is of scores in its unit."""

    threshold: Threshold
    healthy_map: HealthyMap
    position_scale: PositionScale | None = None


def calibrate(
    detector: Detector,
    healthy: PreparedSet,
    rule: str,
    parameter: float | None,
    *,
    sources: Sequence[Row | Scan] = (),
    strata: Sequence[str] = (),
    positions: Positions = (),
    by_position: bool | None = False,
) -> Calibrated:
    """Score healthy scans just as they will be in use, and learn from their scores and maps.

    `sources` are, in order, the rows or scans that were prepared: their groups and how they were taken;
    `strata` are the columns that give thresholds of their own. `positions` are, in order, their places along
    the head; `by_position` standardises their scores by them, None where there are enough.
    Raises NotEnoughScans, and BadOption where a score is not finite.
    """
    scores: list[NDArray[np.float64]] = []
    parts = list(batches(len(healthy), BATCH))
    with MapCalibration() as maps, one_blas_thread():
        for part in progress(parts, total=len(parts), label="calibrating", unit="batch"):
            batch = healthy.batch(part)
            result = detector.score(batch)
            scores.append(result.image)
            for heat, head in zip(result.map, batch.foreground, strict=True):
                maps.add(heat, head)
        told = np.concatenate(scores)
        scale = None
        if wants_position(by_position, positions, sources) and np.isfinite(told).all():
            scale, told = PositionScale.learn(told, positions, sources)
        threshold = _learned(told, rule, parameter, sources, strata)
        return Calibrated(threshold, maps.learn(groups_of(sources)), scale)


def rehearse(
    rule: str,
    parameter: float | None,
    sources: Sequence[Row | Scan],
    strata: Sequence[str],
    positions: Positions = (),
    by_position: bool | None = False,
) -> None:
    """Raise what `calibrate` will raise for these scans, whatever their scores: NotEnoughScans, BadOption."""
    wants_position(by_position, positions, sources)
    _learned(np.zeros(len(sources)), rule, parameter, sources, strata)


def _learned(
    scores: NDArray[np.float64],
    rule: str,
    parameter: float | None,
    sources: Sequence[Row | Scan],
    strata: Sequence[str],
) -> Threshold:
    groups = groups_of(sources) if sources else None
    return Threshold.learn(scores, rule, parameter, groups=groups, taken=columns_of(sources), strata=strata)
