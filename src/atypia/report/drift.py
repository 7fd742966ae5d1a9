"""The page of a watched stream: p-values over time, window by window, and the bet against the promise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from atypia.atomic import write_whole
from atypia.monitoring.monitor import Alarm, StratumWatch, Watch
from atypia.notice import RESEARCH_USE_ONLY
from atypia.report.page import render, write_json
from atypia.report.plate import Plate, chart
from atypia.report.theme import BODY, SMALL, Theme, dress, new_figure

WIDTH = 9.0
DRAWN = 4000
"""How many points of a line a figure shows at most."""

_CHECKS = {
    "martingale": "the evidence over all scans, the capital of a bet, passed its bound",
    "crowd": "a window held more low p-values than half of its scans being abnormal explains",
    "window": "a window held a share of low p-values that chance does not explain",
}


def write_drift(watch: Watch, out: Path, command: str | None = None) -> Path:
    """Write `monitor.html`, `monitor.json` and `figures/*.png` into `out` and return the page's path.

    The page holds its pictures and styles itself and runs no script. Each file appears whole or not at all,
    the page last. Raises OutputError where one cannot be written.
    """
    with style.context("default"):
        plates = [_plate(place, stratum, watch) for place, stratum in enumerate(watch.strata)]
    for plate in plates:
        write_whole(out / "figures" / f"{plate.name}.png", plate.png)
    write_json(out / "monitor.json", watch.to_dict())
    write_whole(out / "monitor.html", _page(watch, plates, command))
    return out / "monitor.html"


def told(watch: Watch, stratum: StratumWatch) -> Iterator[str]:
    """Yield a sentence for each alarm of a stratum: at which scan, since when about, in which direction."""
    for alarm in stratum.alarms:
        _, _, since = watch.streams.where(alarm.since)
        table, number, name = watch.streams.where(alarm.row)
        yield (
            f"{stratum.name}: recalibration is due at {name} (scan {number} of {table}): "
            f"{_CHECKS[alarm.check]}; scores run {alarm.direction} than at calibration, from "
            f"about {since} on."
        )


def told_unfit(watch: Watch) -> Iterator[str]:
    """Yield a sentence where more scans are unfit to be judged than healthy ones would be."""
    if (alarm := watch.unfit_alarm) is None:
        return
    _, _, since = watch.streams.where(alarm.since)
    table, number, name = watch.streams.where(alarm.row)
    yield (
        f"all scans: fitting anew is due at {name} (scan {number} of {table}): a window held more "
        f"scans unfit to be judged than chance explains; they were not taken like those learned from, from "
        f"about {since} on."
    )


@dataclass(frozen=True)
class _Line:
    """One row of the table of strata."""

    name: str
    scans: int
    looked_at: int
    size: str
    highest: float
    windows: str
    verdict: str


def _line(stratum: StratumWatch) -> _Line:
    capital = stratum.bet.log_capital
    outside = sum(window.alarm for window in stratum.windows)
    return _Line(
        stratum.name,
        len(stratum.p_values),
        len(stratum.looked_at),
        "not known" if stratum.size is None else str(stratum.size),
        float(capital.max()) / math.log(10) if len(capital) else 0.0,
        f"{outside} of {len(stratum.windows)}",
        "recalibration is due" if stratum.alarms else "as promised",
    )


def _page(watch: Watch, plates: list[Plate], command: str | None) -> str:
    return render(
        "drift.html.jinja",
        watch=watch,
        settings=watch.settings,
        alarms=[*told_unfit(watch), *(line for stratum in watch.strata for line in told(watch, stratum))],
        lines=[_line(stratum) for stratum in watch.strata],
        bound=watch.strata[0].log_bound / math.log(10),
        plates=plates,
        tables=[name for name, _ in watch.streams.starts],
        command=command,
        notice=RESEARCH_USE_ONLY,
    )


def _plate(place: int, stratum: StratumWatch, watch: Watch) -> Plate:
    state = "recalibration is due" if stratum.alarms else "as promised"
    return chart(
        f"drift_{place:02}",
        f"{stratum.name}: {state}",
        "Above, each dot is a scan and the line the mean of a window. In the middle, the share of low "
        "p-values in each window, with what the promise allows. Below, the capital of a bet against the "
        "promise: at the dashed line it is broken.",
        f"P-values of {len(stratum.p_values)} scans over time: {state}.",
        lambda theme: _draw(stratum, watch, theme),
    )


def _draw(stratum: StratumWatch, watch: Watch, theme: Theme) -> Figure:
    figure = new_figure(6.2, width=WIDTH)
    dots, shares, capital = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
    _dots(dots, stratum, watch.settings.window, theme)
    _shares(shares, stratum, theme)
    _capital(capital, stratum, theme)
    for alarm in stratum.alarms[:1]:
        _mark(figure.axes, alarm, theme)
    dots.set_xlim(-0.5, max(watch.streams.rows, 1) + 0.5)
    return figure


def _dots(axes: Axes, stratum: StratumWatch, window: int, theme: Theme) -> None:
    shown = _thinned(len(stratum.p_values))
    axes.plot(
        stratum.rows[shown] + 1,
        stratum.p_values[shown],
        ".",
        markersize=2.5,
        color=theme.calibration,
        alpha=0.6,
        rasterized=True,
    )
    dress(axes, theme, ylabel="p-value")
    axes.set_ylim(0, 1.02)
    if len(stratum.p_values) > window:
        sums = np.cumsum(np.insert(stratum.p_values, 0, 0.0))
        mean = (sums[window:] - sums[:-window]) / window
        line = _thinned(len(mean))
        axes.plot(stratum.rows[window - 1 :][line] + 1, mean[line], color=theme.normal, linewidth=1.6)


def _shares(axes: Axes, stratum: StratumWatch, theme: Theme) -> None:
    dress(axes, theme, ylabel="low p-values")
    for window in stratum.windows:
        count = window.stop - window.start
        ends = stratum.rows[stratum.counted[[window.start, window.stop - 1]]] + 1
        axes.fill_between(ends, window.fewest / count, window.most / count, color=theme.line, alpha=0.6, lw=0)
        colour, width = (theme.abnormal, 3.0) if window.alarm else (theme.normal, 2.0)
        axes.plot(ends, [window.low / count] * 2, color=colour, linewidth=width)
    axes.axhline(stratum.expected, color=theme.muted, linewidth=0.8, linestyle=":")
    if not stratum.windows:
        axes.text(
            0.5,
            0.5,
            "no full window yet",
            transform=axes.transAxes,
            ha="center",
            color=theme.muted,
            fontsize=BODY,
        )
    highest = max(
        (max(window.most, window.low) / (window.stop - window.start) for window in stratum.windows), default=1
    )
    axes.set_ylim(0, min(1.02, 1.15 * max(highest, 0.02)))


def _capital(axes: Axes, stratum: StratumWatch, theme: Theme) -> None:
    dress(axes, theme, xlabel="scan of the stream", ylabel="capital, powers of 10")
    line = _thinned(len(stratum.looked_at))
    axes.plot(
        stratum.rows[stratum.looked_at][line] + 1,
        stratum.bet.log_capital[line] / math.log(10),
        color=theme.normal,
        linewidth=1.6,
    )
    axes.axhline(stratum.log_bound / math.log(10), color=theme.ink, linewidth=1.0, linestyle=(0, (4, 2)))


def _thinned(count: int) -> NDArray[np.int64]:
    """Return at most so many places, evenly out of all, that a figure of them stays small."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, DRAWN)).astype(np.int64))


def _mark(plots: list[Axes], alarm: Alarm, theme: Theme) -> None:
    for axes in plots:
        axes.axvspan(alarm.since + 1, alarm.row + 1, color=theme.abnormal, alpha=0.12, lw=0)
        axes.axvline(alarm.row + 1, color=theme.abnormal, linewidth=1.4)
    plots[0].annotate(
        "recalibration is due",
        (alarm.row + 1, 1.0),
        xytext=(4, 3),
        textcoords="offset points",
        color=theme.abnormal,
        fontsize=SMALL,
        annotation_clip=False,
    )
