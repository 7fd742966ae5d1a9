"""Whether scored scans still behave as calibration promised; if not, since when and in which stratum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.errors import BadOption
from atypia.monitoring.martingale import Bet, bet
from atypia.monitoring.promise import Promise, size_of
from atypia.monitoring.stream import Stream, Streams
from atypia.monitoring.windows import Window, check_unfit, check_windows
from atypia.notice import RESEARCH_USE_ONLY

BULK = 0.2
"""Where nothing is known of how many scans are abnormal, only p-values above this are looked at."""
MOST_ABNORMAL = 0.5
"""Where nothing is known of how many scans are abnormal, more than this share of them are not."""
UNFIT_RISK, CROWD_RISK = 0.1, 0.1
"""Shares of the risk: of the whole for unfit scans, of a stratum's for crowds of low p-values."""
ALL = "all scans"
SCHEMA = 1


@dataclass(frozen=True)
class Settings:
    """How to look: `risk` is the chance of any false alarm in the whole stream, over all strata.

    `prevalence` is the largest share of scans that may be abnormal, None where nothing is known of it;
    `alpha` the p-value up to which scans count as low where it is known. `seed` breaks ties.
    """

    window: int = 100
    risk: float = 0.01
    alpha: float = 0.05
    prevalence: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.window < 10:
            raise BadOption(f"Expected a window of at least 10 scans; received {self.window}.")
        for name, value in (("risk", self.risk), ("alpha", self.alpha)):
            if not 0 < value < 1:
                raise BadOption(f"Expected {name} between 0 and 1; received {value:g}.")
        if self.prevalence is not None and not 0 <= self.prevalence < 1:
            raise BadOption(f"Expected a prevalence from 0 to below 1; received {self.prevalence:g}.")

    @property
    def cut(self) -> float:
        """The p-value above which the bet looks: 0 where all scans are healthy."""
        return 0.0 if self.prevalence == 0 else BULK


@dataclass(frozen=True)
class Alarm:
    """One broken promise: which check told of it at which row of the stream, and since which row it may be.

    `direction` says whether scores run `higher` or `lower` than at calibration.
    """

    check: str
    row: int
    since: int
    direction: str


@dataclass(frozen=True, eq=False)
class StratumWatch:
    """What was seen in one stratum. `size` is that of its calibration, None where not known.

    `p_values` and `rows` (N,) are all its scans and their rows in the stream; `looked_at` are the places
    among them that the bet looked at, and `counted` those of the windows.
    """

    name: str
    size: int | None
    p_values: NDArray[np.float64]
    rows: NDArray[np.int64]
    looked_at: NDArray[np.int64]
    counted: NDArray[np.int64]
    bet: Bet
    windows: tuple[Window, ...]
    expected: float
    log_bound: float
    alarms: tuple[Alarm, ...]

    def to_dict(self, streams: Streams) -> dict[str, Any]:
        """Return plain JSON values."""
        capital = self.bet.log_capital
        return {
            "scans": len(self.p_values),
            "looked_at": len(self.looked_at),
            "calibration_size": self.size,
            "log10_capital": {
                "last": float(capital[-1]) / math.log(10) if len(capital) else 0.0,
                "highest": float(capital.max()) / math.log(10) if len(capital) else 0.0,
                "alarm": self.log_bound / math.log(10),
            },
            "windows": [
                {
                    "first": _place(streams, int(self.rows[self.counted[window.start]])),
                    "last": _place(streams, int(self.rows[self.counted[window.stop - 1]])),
                    "scans": window.stop - window.start,
                    "low": window.low,
                    "expected": self.expected * (window.stop - window.start),
                    "allowed": [window.fewest, window.most],
                    "alarm": window.alarm,
                }
                for window in self.windows
            ],
            "alarms": [_told(alarm, streams) for alarm in self.alarms],
        }


@dataclass(frozen=True, eq=False)
class Watch:
    """What was seen of a stream, stratum by stratum."""

    streams: Streams
    settings: Settings
    strata: tuple[StratumWatch, ...]
    unfit_windows: tuple[Window, ...] = ()
    unfit_alarm: Alarm | None = None

    @property
    def alarmed(self) -> bool:
        """Whether there is any alarm, of a stratum or of unfit scans."""
        return bool(self.due) or self.unfit_alarm is not None

    @property
    def due(self) -> tuple[StratumWatch, ...]:
        """The strata in which recalibration is due."""
        return tuple(stratum for stratum in self.strata if stratum.alarms)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `monitor.json`."""
        settings = self.settings
        return {
            "schema": SCHEMA,
            "atypia": version("atypia"),
            "notice": RESEARCH_USE_ONLY,
            "recalibration_due": self.alarmed,
            "rows": self.streams.rows,
            "unreadable": self.streams.unreadable,
            "unfit": self.streams.unfit,
            "unfit_alarm": None if self.unfit_alarm is None else _told(self.unfit_alarm, self.streams),
            "left_out_of_groups": self.streams.repeated,
            "settings": {
                "window": settings.window,
                "risk": settings.risk,
                "alpha": settings.alpha,
                "prevalence": settings.prevalence,
                "p_values_above": settings.cut,
            },
            "strata": {stratum.name: stratum.to_dict(self.streams) for stratum in self.strata},
        }


def watch(
    streams: Streams,
    settings: Settings,
    size: Callable[[str | None], int | None] | None = None,
    refused: tuple[int, float] | None = None,
) -> Watch:
    """Test the p-values of every stratum against what calibration promised.

    `size` gives the number of calibration groups by the name of a stratum; without it the number is read off
    the p-values where that is possible. Scans of one patient count as independent.
    `refused` is the number of groups that set the limits of what may be judged, and the share of healthy
    scans that was left out at the fit; without it unfit scans are counted, but not tested.
    """
    risk = (1 - UNFIT_RISK) * settings.risk / len(streams.by_stratum)
    found = []
    for name, stream in sorted(streams.by_stratum.items(), key=lambda entry: entry[0] or ""):
        known = size_of(stream.values()) if size is None else size(name)
        found.append(_one(name or ALL, stream, known, settings, risk))
    windows, alarm = _unfit(streams, refused, settings)
    return Watch(streams, settings, tuple(found), windows, alarm)


def _unfit(
    streams: Streams, refused: tuple[int, float] | None, settings: Settings
) -> tuple[tuple[Window, ...], Alarm | None]:
    if refused is None:
        return (), None
    rows = np.array(list(streams.fit), dtype=np.int64)
    unfit = np.array(list(streams.fit.values()), dtype=np.int64) == 0
    windows = check_unfit(unfit, *refused, settings.window, risk=UNFIT_RISK * settings.risk)
    first = next((window for window in windows if window.alarm), None)
    if first is None:
        return windows, None
    return windows, Alarm("unfit", int(rows[first.stop - 1]), int(rows[first.start]), "higher")


def _one(name: str, stream: Stream, size: int | None, settings: Settings, risk: float) -> StratumWatch:
    p_values = stream.values()
    rows = np.frombuffer(stream.places, dtype=np.int64)
    bulk = Promise(size, settings.cut)
    looked_at = np.flatnonzero(bulk.looked_at(p_values))
    ranks = bulk.ranks(p_values[looked_at], np.random.default_rng(settings.seed))
    made = bet(ranks)
    known = settings.prevalence is not None
    promise, share = (Promise(size), settings.alpha) if known else (bulk, 0.5)
    of_crowds = 0.0 if known else CROWD_RISK
    counted = np.arange(len(p_values)) if known else looked_at
    windows = check_windows(
        p_values[counted],
        promise,
        settings.window,
        share=share,
        abnormal=settings.prevalence or 0.0,
        risk=(0.5 - of_crowds) * risk,
    )
    log_bound = -math.log(risk / 2)
    alarms = [*_of_bet(made, rows[looked_at], log_bound), *_of_windows(windows, rows[counted])]
    if not known:
        alarms += _of_crowds(p_values, rows, size, settings.window, of_crowds * risk)
    return StratumWatch(
        name,
        size,
        p_values,
        rows,
        looked_at,
        counted,
        made,
        windows,
        promise.expected(share),
        log_bound,
        tuple(sorted(alarms, key=lambda alarm: alarm.row)),
    )


def _of_bet(made: Bet, rows: NDArray[np.int64], log_bound: float) -> list[Alarm]:
    place = made.first_at(log_bound)
    if place is None:
        return []
    since, higher = made.since(place)
    return [Alarm("martingale", int(rows[place]), int(rows[since]), "higher" if higher else "lower")]


def _of_windows(windows: tuple[Window, ...], rows: NDArray[np.int64]) -> list[Alarm]:
    for window in windows:
        if window.alarm:
            direction = "higher" if window.low > window.most else "lower"
            return [Alarm("window", int(rows[window.stop - 1]), int(rows[window.start]), direction)]
    return []


def _of_crowds(
    p_values: NDArray[np.float64], rows: NDArray[np.int64], size: int | None, window: int, risk: float
) -> list[Alarm]:
    """Return an alarm where more p-values are low than half of the scans being abnormal explains."""
    found = check_windows(p_values, Promise(size), window, share=BULK, abnormal=MOST_ABNORMAL, risk=2 * risk)
    first = next((one for one in found if one.low > one.most), None)
    if first is None:
        return []
    return [Alarm("crowd", int(rows[first.stop - 1]), int(rows[first.start]), "higher")]


def _told(alarm: Alarm, streams: Streams) -> dict[str, Any]:
    return {
        "check": alarm.check,
        "direction": alarm.direction,
        "at": _place(streams, alarm.row),
        "since_about": _place(streams, alarm.since),
    }


def _place(streams: Streams, row: int) -> dict[str, Any]:
    table, number, name = streams.where(row)
    return {"table": table, "scan": number, "name": name}
