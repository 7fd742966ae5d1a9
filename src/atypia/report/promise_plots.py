"""The charts that hold figures against what was promised: p-values, and lesions for false places."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from atypia.evaluation.lesions import RATES, LesionMetrics, rate_name
from atypia.evaluation.p_value_metrics import PValueMetrics, distribution
from atypia.report.theme import BODY, LIGHT, Theme, dress, new_figure

_SHARES = ([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
_SMALL_END = 0.2


def p_value_calibration(
    p_values: NDArray[np.float64], measured: PValueMetrics, theme: Theme = LIGHT
) -> Figure:
    """Draw the share of healthy test scans with a p-value of at most p against p; the small end enlarged."""
    figure = new_figure(2.7)
    panels = figure.subplots(1, 2)
    for axes, end, title in zip(panels, (1.0, _SMALL_END), ("All", "The small ones"), strict=True):
        _draw_distribution(axes, p_values, measured, theme)
        axes.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        ticks = [0, end / 2, end]
        axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        axes.set_yticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        axes.set_title(title, loc="left", color=theme.muted, fontsize=BODY)
        dress(axes, theme, xlabel="p")
    panels[0].set_ylabel("normal scans with a\np-value of at most p", color=theme.muted, fontsize=BODY)
    return figure


def lesion_curve(lesions: LesionMetrics, theme: Theme = LIGHT) -> Figure:
    """Draw the share of lesions found against the false places per slice (FROC), with intervals.

    The line is what `lesions_at_*` read: the best of the thresholds that stay below a rate. The dots are the
    thresholds themselves.
    """
    figure = new_figure(4.0)
    axes = figure.add_subplot()
    false, found = np.array(lesions.false_per_slice), np.array(lesions.found)
    order = np.argsort(false, kind="stable")
    floor = 0.5 / max(lesions.slices, 1)
    best = np.maximum.accumulate(found[order])
    axes.step(
        np.append(np.maximum(false[order], floor), max(RATES[-1], false.max())),
        np.append(best, best[-1]),
        where="post",
        color=theme.normal,
        linewidth=2,
    )
    axes.plot(np.maximum(false, floor), found, "o", color=theme.normal, markersize=3, alpha=0.7)
    for rate in RATES:
        name = rate_name(rate)
        low, high = lesions.intervals.get(name, (np.nan, np.nan))
        axes.vlines(rate, low, high, color=theme.ink, linewidth=1.2)
        axes.plot(rate, lesions.at[name], "s", color=theme.ink, markersize=4, zorder=5)
    axes.set_xscale("log")
    axes.set(xlim=(min(floor, RATES[0] / 2), max(RATES[-1] * 1.6, false.max() * 1.1)), ylim=(-0.02, 1.02))
    axes.set_yticks(*_SHARES)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    dress(axes, theme, xlabel="places wrongly pointed at, per slice", ylabel="lesions found")
    return figure


def _draw_distribution(
    axes: Axes, p_values: NDArray[np.float64], measured: PValueMetrics, theme: Theme
) -> None:
    """Draw the diagonal with its band, and the distribution as steps."""
    line = np.array([0.0, 1.0])
    axes.fill_between(
        line, line - measured.band, line + measured.band, color=theme.calibration, alpha=0.18, linewidth=0
    )
    axes.plot(line, line, ":", color=theme.muted, linewidth=1)
    values, shares = distribution(p_values)
    x, y = np.concatenate([[0.0], values, [1.0]]), np.concatenate([[0.0], shares, [1.0]])
    axes.step(x, y, where="post", color=theme.normal, linewidth=1.8, solid_joinstyle="miter")
