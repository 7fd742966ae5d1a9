"""Colours and letters of the figures, on light and on dark pages."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours by what they mean; normal and abnormal are told apart by colour-blind readers too.

    After Okabe and Ito, "Color Universal Design" (2008): blue, vermilion and bluish green.
    """

    ink: str
    muted: str
    line: str
    page: str
    calibration: str
    normal: str
    abnormal: str


LIGHT = Theme(
    ink="#1b2330",
    muted="#596475",
    line="#d5dae2",
    page="#ffffff",
    calibration="#5f6b7c",
    normal="#0072b2",
    abnormal="#c64f00",
)
DARK = Theme(
    ink="#e9edf3",
    muted="#a3aebd",
    line="#3b4452",
    page="#161b23",
    calibration="#9aa6b6",
    normal="#56b4e9",
    abnormal="#f0913a",
)

WIDTH = 4.4
SMALL, BODY, LARGE = 8.5, 9.5, 20.0


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure (sizes in inches) without a background, apart from pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def percent(share: float) -> str:
    """Return a share for reading, in whole percent; 0 % and 100 % mean none and all.

    >>> [percent(share) for share in (0.0, 0.001, 0.5, 0.999, 1.0)]
    ['0 %', '<1 %', '50 %', '>99 %', '100 %']
    """
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"


def dress(axes: Axes, theme: Theme, *, xlabel: str = "", ylabel: str = "", grid: bool = True) -> None:
    """Give axes the theme's colours, quiet lines, and labels."""
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.line)
    axes.tick_params(colors=theme.muted, labelsize=SMALL, length=3, color=theme.line, which="both")
    axes.set_xlabel(xlabel, color=theme.muted, fontsize=BODY)
    axes.set_ylabel(ylabel, color=theme.muted, fontsize=BODY)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(visible=True, color=theme.line, linewidth=0.6, alpha=0.7)
