"""Streams of p-values from made-up scores, calibrated on others of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from atypia.monitoring.stream import Streams
from atypia.threshold import Threshold


@pytest.fixture
def draw(rng: np.random.Generator) -> Callable[..., Streams]:
    """`draw(healthy=100, scans=600, shift=0, start=0, abnormal=0)` draws a stream of one stratum.

    From the scan `start` on scores are higher by `shift`; a share of `abnormal` scans scores far higher.
    """

    def make(
        healthy: int = 100,
        scans: int = 600,
        *,
        shift: float = 0.0,
        start: int = 0,
        abnormal: float = 0.0,
        stratum: str | None = None,
        streams: Streams | None = None,
    ) -> Streams:
        threshold = Threshold.learn(rng.normal(size=healthy))
        scores = rng.normal(size=scans) + shift * (np.arange(scans) >= start)
        scores += 4.0 * (rng.random(scans) < abnormal)
        made = streams or Streams(starts=[("findings.csv", 0)])
        for place, p_value in enumerate(threshold.p_values(scores)):
            record = {"name": f"{place}.png", "p_value": float(p_value), "stratum": stratum}
            made.add(record, "here", None)
        return made

    return make
