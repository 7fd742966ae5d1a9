"""The shapes of drift."""

from __future__ import annotations

from datetime import datetime

from atypia.service.api.schemas.shapes import Shape


class DriftAlarm(Shape):
    """A broken promise: which check told of it, at which finding, since which it may be so."""

    check: str
    direction: str
    at: str
    at_time: datetime
    since: str
    since_time: datetime


class DriftWindow(Shape):
    """A window of findings: how many p-values were low, how many were expected and may be."""

    first: datetime
    last: datetime
    scans: int
    low: int
    expected: float
    fewest: int
    most: int
    alarm: bool


class DriftStream(Shape):
    """The findings of one stratum in order. Of more than 2000, `points` are some, evenly spread.

    `log10_capital` is that of the bet against the promise at each point; it tells at `alarm_at`.
    """

    name: str
    scans: int
    calibration: int | None
    findings: list[str]
    times: list[datetime]
    p_values: list[float]
    log10_capital: list[float | None]
    alarm_at: float
    windows: list[DriftWindow]
    alarms: list[DriftAlarm]


class Drift(Shape):
    """Whether the p-values of a Screener's findings still behave as calibration promised."""

    screener: str
    recalibration_due: bool
    window: int
    risk: float
    findings: int
    unfit: int
    unreadable: int
    unfit_alarm: DriftAlarm | None
    streams: list[DriftStream]
