"""What a job of judging will cost: measured on a few of its scans, before it is run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from atypia.errors import BadOption
from atypia.reading.row import Row
from atypia.screener import Screener

SAMPLE, RUN = 32, 8


@dataclass(frozen=True)
class Rate:
    """What one scan costs on this machine.

    `core_seconds` are those of all cores together, `seconds` those of the clock; reading is part of both,
    writing is not. `tried` scans were judged for it.
    """

    core_seconds: float
    seconds: float
    tried: int


def measured_rate(screener: Screener, rows: Sequence[Row], *, maps: bool) -> Rate:
    """Judge a few scans from all over a job and return what one costs; raise BadOption where there are none.

    The first ones warm the networks up and are not counted. Slices of volumes are taken in runs, for a volume
    is read once for all of its slices.
    """
    if not rows:
        raise BadOption("Expected scans to estimate the cost of judging from, received none.")
    tried = _spread(rows)
    _judge(screener, tried[:RUN], maps)
    clock, cores = time.perf_counter(), time.process_time()
    _judge(screener, tried, maps)
    cores, clock = time.process_time() - cores, time.perf_counter() - clock
    return Rate(cores / len(tried), clock / len(tried), len(tried))


def _spread(rows: Sequence[Row]) -> list[Row]:
    """Return up to SAMPLE rows, in runs of RUN that begin at equal distances."""
    if len(rows) <= SAMPLE:
        return list(rows)
    runs = SAMPLE // RUN
    starts = [number * (len(rows) - RUN) // (runs - 1) for number in range(runs)]
    return [row for start in starts for row in rows[start : start + RUN]]


def _judge(screener: Screener, rows: Sequence[Row], maps: bool) -> None:
    for _ in screener.score(rows, heatmaps=maps, judge_all=True):
        pass
