"""Drift: whether the p-values of stored findings still behave as calibration promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from atypia.monitoring.monitor import ALL, Alarm, Settings, StratumWatch, Watch, watch
from atypia.monitoring.promise import size_of
from atypia.monitoring.stream import Streams
from atypia.service.api import schemas
from atypia.service.api.problems import Problem
from atypia.service.api.roles import Viewer
from atypia.service.api.screeners import found
from atypia.service.api.serving import Here
from atypia.service.store import screeners, thresholds
from atypia.service.store.models import Finding, Screener
from atypia.threshold import Threshold

router = APIRouter(tags=["drift"])
MOST = 50_000
"""So many findings, the newest, are looked at."""
DRAWN = 2000
VOLUMES = "volumes"


@dataclass(frozen=True)
class _Stream:
    """Findings in the order in which they were made: what tests them, and which they are."""

    streams: Streams
    findings: list[str]
    times: list[datetime]


@router.get("/drift")
def get_drift(
    here: Here,
    _user: Viewer,
    screener: Annotated[str | None, Query(pattern=schemas.HEXADECIMAL)] = None,
    window: Annotated[int, Query(ge=10, le=10_000)] = 100,
    prevalence: Annotated[float | None, Query(ge=0, lt=1, allow_inf_nan=False)] = None,
    risk: Annotated[float, Query(ge=1e-9, lt=1, allow_inf_nan=False)] = 0.01,
    one_per_job: Annotated[bool, Query(description="Of each job the first finding alone.")] = False,
) -> schemas.Drift:
    """Test the p-values of a Screener's findings, in order, against what calibration promised.

    Findings of one job may be slices of one patient, which are alike: `one_per_job` then takes one of each.
    Volumes are a stream of their own; those whose p-value is that of a slice are left out.
    """
    with here.store.session() as session:
        row = screeners.default_of(session) if screener is None else found(session, screener)
        if row is None:
            raise Problem(404, "No Screener", "There is no default Screener; name one.")
        threshold = thresholds.threshold_of(row)
        stream = _read(session, row, one_per_job=one_per_job)
    settings = Settings(window=window, risk=risk, prevalence=prevalence)
    if not stream.streams.by_stratum:
        return _told(row, settings, stream, None)
    refused = row.details.get("refused")
    seen = watch(
        stream.streams,
        settings,
        _size_of(threshold, stream.streams),
        None if refused is None else (int(refused[0]), float(refused[1])),
    )
    return _told(row, settings, stream, seen)


def _read(session: Session, screener: Screener, *, one_per_job: bool) -> _Stream:
    columns = (
        Finding.id,
        Finding.created,
        Finding.job,
        Finding.kind,
        Finding.p_kind,
        Finding.p_value,
        Finding.stratum,
        Finding.verdict,
    )
    newest = (
        select(*columns)
        .where(Finding.screener == screener.id)
        .order_by(Finding.created.desc(), Finding.job.desc(), Finding.index.desc())
        .limit(MOST)
    )
    streams, found_, times, jobs = (
        Streams(starts=[("findings", 0)]),
        list[str](),
        list[datetime](),
        set[str](),
    )
    for row in reversed(session.execute(newest).all()):
        if (one_per_job and row.job in jobs) or row.p_kind not in ("scan", "volume"):
            continue
        jobs.add(row.job)
        found_.append(row.id)
        times.append(row.created)
        volume = row.kind == "volume"
        streams.add(
            {
                "name": row.id,
                "p_value": row.p_value,
                "stratum": VOLUMES if volume else row.stratum,
                "unfit": row.verdict == "unfit",
            },
            row.id,
            None,
        )
    return _Stream(streams, found_, times)


def _size_of(threshold: Threshold, streams: Streams) -> Callable[[str | None], int | None]:
    """Return the number of calibration groups by the name of a stratum; that of volumes by p-values."""

    def size(stratum: str | None) -> int | None:
        if stratum == VOLUMES:
            return size_of(streams.by_stratum[VOLUMES].values())
        part = threshold.parts.get(stratum or "", threshold)
        return part.calibration.group_count

    return size


def _told(row: Screener, settings: Settings, stream: _Stream, seen: Watch | None) -> schemas.Drift:
    alarm = None if seen is None else seen.unfit_alarm
    return schemas.Drift(
        screener=row.id,
        recalibration_due=seen is not None and seen.alarmed,
        window=settings.window,
        risk=settings.risk,
        findings=stream.streams.rows,
        unfit=stream.streams.unfit,
        unreadable=stream.streams.unreadable,
        unfit_alarm=None if alarm is None else _alarm(alarm, stream),
        streams=[] if seen is None else [_stratum(one, stream) for one in seen.strata],
    )


def _stratum(one: StratumWatch, stream: _Stream) -> schemas.DriftStream:
    count = len(one.p_values)
    drawn = np.unique(np.linspace(0, count - 1, min(count, DRAWN)).round().astype(np.int64))
    rows = one.rows[drawn].tolist()
    return schemas.DriftStream(
        name=one.name if one.name != ALL else "all",
        scans=count,
        calibration=one.size,
        findings=[stream.findings[at] for at in rows],
        times=[stream.times[at] for at in rows],
        p_values=one.p_values[drawn].tolist(),
        log10_capital=_capital(one, drawn),
        alarm_at=one.log_bound / np.log(10),
        windows=[
            schemas.DriftWindow(
                first=stream.times[int(one.rows[one.counted[window.start]])],
                last=stream.times[int(one.rows[one.counted[window.stop - 1]])],
                scans=window.stop - window.start,
                low=window.low,
                expected=one.expected * (window.stop - window.start),
                fewest=window.fewest,
                most=window.most,
                alarm=window.alarm,
            )
            for window in one.windows
        ],
        alarms=[_alarm(alarm, stream) for alarm in one.alarms],
    )


def _capital(one: StratumWatch, drawn: np.ndarray) -> list[float | None]:
    """Return the capital of the bet after each of these places; None before its first."""
    bets = np.searchsorted(one.looked_at, drawn, side="right")
    capital = one.bet.log_capital / np.log(10)
    return [float(capital[bet - 1]) if bet else None for bet in bets]


def _alarm(alarm: Alarm, stream: _Stream) -> schemas.DriftAlarm:
    return schemas.DriftAlarm(
        check=alarm.check,
        direction=alarm.direction,
        at=stream.findings[alarm.row],
        at_time=stream.times[alarm.row],
        since=stream.findings[alarm.since],
        since_time=stream.times[alarm.since],
    )
