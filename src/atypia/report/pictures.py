"""The pictures of a report: scans on black, as one reads them, on light and dark pages alike.

Nothing that a user named is written into a picture, and heat maps of one report share one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from atypia.evaluation.cases import Case
from atypia.overlay import HeatScale, heat_colours, overlay
from atypia.report.theme import SMALL, WIDTH

INK, MUTED, BOX, OUTLINE = "#e9edf3", "#9aa6b6", "#0b0e13", "#4fd8eb"
RIGHT, WRONG = "#6cc5ff", "#ffab66"


@dataclass(frozen=True)
class PictureScale:
    """What the colours of all pictures of one report mean, in the detector's and in grey units.

    `heat` is where heat maps begin to glow and where they are brightest; `mark` is the threshold of pixels,
    drawn beside the colours; `residual` is the brightest difference between a scan and its reconstruction.
    """

    heat: HeatScale
    residual: float
    mark: float | None = None

    @classmethod
    def over(
        cls, cases: Sequence[Case], heat: HeatScale | None = None, mark: float | None = None
    ) -> PictureScale:
        """Take the scale that was learned from healthy scans, or else one from these cases together."""
        residuals = [residual(case) for case in cases]
        peaks = [np.percentile(found, 99.5) for found in residuals if found is not None]
        return cls(heat or _heat_scale(cases), float(max(peaks, default=1.0)) or 1.0, mark)


def residual(case: Case) -> NDArray[np.float32] | None:
    """Return the absolute difference (S, S) between a prepared scan and its reconstruction, or None."""
    if case.prepared is None or case.reconstruction is None:
        return None
    return np.asarray(np.abs(case.prepared - case.reconstruction), dtype=np.float32)


def cases(shown: Sequence[Case], scale: PictureScale, *, columns: int = 4) -> Figure:
    """Draw each case as its scan above its heat map, with what was said of it."""
    rows: list[tuple[str, Painter]] = [("scan", _paint_scan), ("heat map", _paint_heat)]
    return _gallery(shown, rows, scale, columns)


def reconstructions(shown: Sequence[Case], scale: PictureScale, *, columns: int = 3) -> Figure:
    """Draw each case as the detector saw it and expected it, their difference, and the heat map."""
    rows: list[tuple[str, Painter]] = [
        ("input", _paint_prepared),
        ("reconstruction", _paint_reconstruction),
        ("residual", _paint_residual),
        ("heat map", _paint_heat),
    ]
    return _gallery(shown, rows, scale, columns)


Painter = Callable[[Axes, Case, PictureScale], None]


def _gallery(
    shown: Sequence[Case], rows: Sequence[tuple[str, Painter]], scale: PictureScale, columns: int
) -> Figure:
    cell = (WIDTH - 0.3) / columns
    figure = Figure(figsize=(WIDTH, cell * len(rows) + 0.62), layout=_tight(), facecolor=BOX)
    grid = figure.add_gridspec(len(rows) + 1, columns, height_ratios=[1] * len(rows) + [0.045])
    for column in range(columns):
        for row, (label, paint) in enumerate(rows):
            axes = figure.add_subplot(grid[row, column])
            _bare(axes)
            if column == 0:
                axes.set_ylabel(label, color=MUTED, fontsize=SMALL)
            if column < len(shown):
                paint(axes, shown[column], scale)
                if row == 0:
                    _tell(axes, column, shown[column])
    _colour_bar(figure.add_subplot(grid[len(rows), :]), scale)
    return figure


def _tight() -> ConstrainedLayoutEngine:
    return ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0, rect=(0.02, 0.01, 0.96, 0.97))


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[], facecolor=BOX)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _tell(axes: Axes, column: int, case: Case) -> None:
    words = {(True, True): "caught", (True, False): "missed", (False, True): "false alarm"}
    word = words.get((case.abnormal, case.flagged), "passed")
    colour = RIGHT if case.abnormal == case.flagged else WRONG
    axes.set_title(f"{column + 1}  {word}\n{case.score:.4g}", color=colour, fontsize=SMALL, pad=3)


def _paint_scan(axes: Axes, case: Case, scale: PictureScale) -> None:
    del scale
    _show_grey(axes, case.scan)


def _paint_prepared(axes: Axes, case: Case, scale: PictureScale) -> None:
    del scale
    _show_grey(axes, case.prepared, (0, 1))


def _paint_reconstruction(axes: Axes, case: Case, scale: PictureScale) -> None:
    del scale
    _show_grey(axes, case.reconstruction, (0, 1))


def _paint_residual(axes: Axes, case: Case, scale: PictureScale) -> None:
    found = residual(case)
    if found is None:
        _show_nothing(axes)
    else:
        axes.imshow(found, cmap="gray", vmin=0, vmax=scale.residual, interpolation="bilinear")


def _paint_heat(axes: Axes, case: Case, scale: PictureScale) -> None:
    if case.heatmap is None:
        _show_nothing(axes)
        return
    scan = np.zeros_like(case.heatmap) if case.scan is None else case.scan
    axes.imshow(overlay(scan, case.heatmap, scale.heat), interpolation="bilinear")
    if case.mask is not None and case.mask.any() and not case.mask.all():
        axes.contour(case.mask, levels=[0.5], colors=[OUTLINE], linewidths=1.1)
    if case.regions is not None and case.regions.any() and not case.regions.all():
        axes.contour(case.regions, levels=[0.5], colors=[INK], linewidths=0.8, linestyles="dashed")


def _show_grey(
    axes: Axes, pixels: NDArray[np.float32] | None, window: tuple[float, float] | None = None
) -> None:
    if pixels is None:
        _show_nothing(axes)
        return
    low, high = window or tuple(np.percentile(pixels, [0.5, 99.5]))
    axes.imshow(pixels, cmap="gray", vmin=low, vmax=max(high, low + 1e-12), interpolation="bilinear")


def _show_nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=MUTED, transform=axes.transAxes)
    axes.set_box_aspect(1)


def _colour_bar(axes: Axes, scale: PictureScale) -> None:
    """Draw the one scale of all heat maps, clear at its left end as over a dark scan."""
    _bare(axes)
    clear, full = scale.heat
    values = np.linspace(0, 1, 256)
    weight = np.sqrt(values)[:, None]
    colours = weight * heat_colours(values) + (1 - weight) * 0.2
    axes.imshow(values[None], cmap=ListedColormap(colours), aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xticks([0, 1], [f"as healthy: ≤ {clear:.3g}", f"≥ {full:.3g}"], color=MUTED, fontsize=SMALL)
    axes.tick_params(length=0, pad=3)
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[1].set_horizontalalignment("right")
    if scale.mark is not None and clear < scale.mark < full:
        place = (scale.mark - clear) / (full - clear)
        axes.axvline(place, color=OUTLINE, linewidth=2)
        told = f"pixel threshold {scale.mark:.3g}"
        axes.text(0.5, -0.45, told, color=OUTLINE, fontsize=SMALL, ha="center", va="top")


def _heat_scale(cases: Sequence[Case]) -> HeatScale:
    """Return a scale on which the normal cases stay dark and one spot in five is brightest."""
    maps = [(case.heatmap, case.abnormal) for case in cases if case.heatmap is not None]
    if not maps:
        return 0.0, 1.0
    calm = [float(np.percentile(heatmap, 99)) for heatmap, abnormal in maps if not abnormal]
    clear = float(np.median(calm)) if calm else float(np.median([np.median(heatmap) for heatmap, _ in maps]))
    full = float(np.percentile([np.percentile(heatmap, 99.8) for heatmap, _ in maps], 80))
    return clear, max(full, clear + 1e-6 * max(abs(clear), 1e-6))
