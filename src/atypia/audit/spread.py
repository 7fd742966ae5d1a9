"""A figure: how one number is spread in the two sets that it tells apart."""

from __future__ import annotations

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from atypia.audit.audit import Audit
from atypia.audit.shortcut import Shortcut
from atypia.audit.shortcuts import Comparison, sides_of
from atypia.audit.words import plain_name
from atypia.report.plate import Plate, chart
from atypia.report.theme import SMALL, Theme, dress, new_figure

_BINS = 40


def spread_plate(comparison: Comparison, found: Shortcut, audit: Audit) -> Plate | None:
    """Draw the histograms of one scalar in both sets; None where it was not measured."""
    if audit.measured is None or found.name not in audit.measured.names:
        return None
    values = audit.measured.column(found.name)
    sides = sides_of(comparison, audit.rows)
    parts = [values[[n for n, side in enumerate(sides) if side is wanted]] for wanted in (False, True)]
    parts = [part[np.isfinite(part)] for part in parts]
    low, high = np.percentile(np.concatenate(parts), [0.5, 99.5])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)

    def draw(theme: Theme) -> Figure:
        figure = new_figure(2.5)
        axes = figure.subplots()
        for part, name, colour in zip(
            parts, (comparison.first, comparison.second), (theme.normal, theme.abnormal), strict=True
        ):
            shares = np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / max(len(part), 1)
            axes.stairs(shares, edges, fill=True, alpha=0.3, color=colour)
            axes.stairs(shares, edges, color=colour, linewidth=1.4, label=f"{name} ({len(part):,})")
        dress(axes, theme, xlabel=plain_name(found.name), ylabel="share of scans")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=SMALL, labelcolor=theme.ink)
        return figure

    with style.context("default"):
        return chart(
            name=f"spread-{comparison.title.lower()}",
            title=f"{plain_name(found.name)[:1].upper()}{plain_name(found.name)[1:]} in both sets",
            reading=f"{found.meaning[:1].upper()}{found.meaning[1:]}. Where the two do not overlap, it alone "
            "tells them apart.",
            alt=f"Histograms of {plain_name(found.name)} of {comparison.first} and {comparison.second} scans",
            draw=draw,
        )
