"""The charts of a report, one function each; what varies in colour varies in words or line style too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.metrics import Confusion, precision_recall_curve, roc_curve
from atypia.evaluation.verdicts import Verdicts
from atypia.report.theme import BODY, LARGE, LIGHT, SMALL, Theme, dress, new_figure, percent

Floats = NDArray[np.float64]

_BINS = 36
_WIDE_RANGE = 30.0  # from here on the scores are drawn on a logarithmic axis


def training_curve(history: Sequence[Mapping[str, float]], theme: Theme = LIGHT) -> Figure:
    """Draw `loss`, and `validation_loss` where there is one, over `epoch`."""
    figure = new_figure(3.0)
    axes = figure.add_subplot()
    lines = {
        "loss": ("training scans, all healthy", theme.normal, "-"),
        "validation_loss": ("validation scans, chose nothing", theme.abnormal, "--"),
    }
    drawn: list[float] = []
    for key, (label, colour, style) in lines.items():
        points = [(entry["epoch"], entry[key]) for entry in history if np.isfinite(entry.get(key, np.nan))]
        if points:
            marker = "o" if len(points) < 20 else ""
            axes.plot(
                *zip(*points, strict=True), style, color=colour, label=label, marker=marker, markersize=3
            )
            drawn += [loss for _, loss in points]
    dress(axes, theme, xlabel="epoch", ylabel="loss")
    if drawn and min(drawn) > 0 and max(drawn) / min(drawn) > _WIDE_RANGE:
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=BODY, labelcolor=theme.ink)
    return figure


def loss_histograms(
    calibration: Floats, normal: Floats, abnormal: Floats, threshold: float, theme: Theme = LIGHT
) -> Figure:
    """Draw the scores of healthy calibration, normal and abnormal scans one below the other.

    All three share one axis, on which the threshold is drawn; a group without scores is left out.
    """
    groups = [
        ("Healthy, calibration", calibration, theme.calibration),
        ("Normal, test", normal, theme.normal),
        ("Abnormal, test", abnormal, theme.abnormal),
    ]
    groups = [(label, scores[np.isfinite(scores)], colour) for label, scores, colour in groups]
    groups = [group for group in groups if len(group[1])]
    figure = new_figure(3.6)
    rows = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    bins, logarithmic = _bins(np.concatenate([scores for _, scores, _ in groups]), threshold)
    for axes, (label, scores, colour) in zip(rows, groups, strict=True):
        axes.hist(scores, bins, color=colour, alpha=0.85, weights=np.full(len(scores), 1 / len(scores)))
        _dress_ridge(axes, theme, threshold)
        above = float((scores > threshold).mean())
        axes.set_title(label, loc="left", color=colour, fontsize=BODY, fontweight="bold", pad=4)
        told = f"{percent(above)} of {len(scores)} above the threshold"
        if not np.isfinite(threshold):  # each stratum has its own
            told = f"{len(scores)} scans"
        axes.set_title(told, loc="right", color=theme.muted, fontsize=SMALL, pad=4)
    if logarithmic:
        _logarithmic(rows[-1], (bins[0], bins[-1]))
    rows[-1].set_xlabel("score: further right is more abnormal", color=theme.muted, fontsize=BODY)
    return figure


def confusion_matrix(counts: Confusion, theme: Theme = LIGHT) -> Figure:
    """Draw the four counts, what is in rows and what was said in columns, shaded by share."""
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    cells = [
        [(counts.true_negative, "passed"), (counts.false_positive, "false alarms")],
        [(counts.false_negative, "missed"), (counts.true_positive, "caught")],
    ]
    for row, (entries, total) in enumerate(zip(cells, (counts.normal, counts.abnormal), strict=True)):
        for column, (count, word) in enumerate(entries):
            _cell(axes, theme, (column, row), count, total, word)
    axes.set(xlim=(-0.02, 2.02), ylim=(2.02, -0.02))
    axes.set_xticks([0.5, 1.5], ["said normal", "said abnormal"])
    axes.set_yticks([0.5, 1.5], ["is\nnormal", "is\nabnormal"])
    dress(axes, theme, grid=False)
    axes.tick_params(length=0, labelsize=BODY, labelcolor=theme.ink)
    axes.xaxis.tick_top()
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def receiver_operating_characteristic(
    verdicts: Verdicts, image: ImageMetrics, theme: Theme = LIGHT
) -> Figure:
    """Draw sensitivity against the share of false alarms, with the point where the threshold stands."""
    false_alarms, found, _ = roc_curve(verdicts.scores, verdicts.labels)
    counts, ends = image.confusion, image.interval("auroc")
    figure = new_figure(4.0)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], ":", color=theme.muted, linewidth=1)
    axes.plot(false_alarms, found, color=theme.normal, linewidth=2)
    _mark(axes, theme, (1 - counts.specificity, counts.sensitivity))
    _unit_square(axes, theme, "normal scans flagged", "abnormal scans flagged")
    corner = (0.97, 0.12) if image.auroc >= 0.5 else (0.03, 0.93)
    told = f"95 % interval {ends[0]:.3f} to {ends[1]:.3f}" if np.isfinite(ends[0]) else ""
    _note(axes, theme, f"AUROC {image.auroc:.3f}", told, corner)
    return figure


def precision_recall(verdicts: Verdicts, image: ImageMetrics, theme: Theme = LIGHT) -> Figure:
    """Draw the share of flagged scans that are abnormal against the share of abnormal scans flagged."""
    recall, precision, _ = precision_recall_curve(verdicts.scores, verdicts.labels)
    counts = image.confusion
    flagged = counts.true_positive + counts.false_positive
    base = counts.abnormal / (counts.abnormal + counts.normal)
    figure = new_figure(4.0)
    axes = figure.add_subplot()
    axes.plot([0, 1], [base, base], ":", color=theme.muted, linewidth=1)
    precision[0] = precision[1]  # the 1 by custom would draw a spike that no scan stands for
    axes.step(recall, precision, where="pre", color=theme.normal, linewidth=2)
    if flagged:
        _mark(axes, theme, (counts.sensitivity, counts.true_positive / flagged))
    _unit_square(axes, theme, "abnormal scans flagged", "flagged scans that are abnormal")
    told = f"flagging at random reaches {base:.3f}"
    _note(
        axes,
        theme,
        f"Average precision {image.average_precision:.3f}",
        told,
        (0.97, 0.12 if base > 0.35 else 0.9),
    )
    return figure


def _bins(scores: Floats, threshold: float) -> tuple[Floats, bool]:
    """Return the edges of the bins over all scores and the threshold, and whether they are logarithmic."""
    shown = np.append(scores, threshold) if np.isfinite(threshold) else scores
    low, high = float(shown.min()), float(shown.max())
    if low > 0 and high / low > _WIDE_RANGE:
        return np.geomspace(low, high, _BINS + 1), True
    reach = max(high - low, 1e-9 * max(abs(high), 1.0), 1e-30)
    return np.linspace(low - 0.01 * reach, high + 0.01 * reach, _BINS + 1), False


def _logarithmic(axes: Axes, ends: tuple[float, float]) -> None:
    """Mark decades, and 2 and 5 between them where there are few, in plain numbers."""
    axes.set_xscale("log")
    few = ends[1] / ends[0] < 1000
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _dress_ridge(axes: Axes, theme: Theme, threshold: float) -> None:
    dress(axes, theme, grid=False)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.margins(y=0.12)
    if np.isfinite(threshold):
        axes.axvline(threshold, color=theme.ink, linewidth=1.2, linestyle=(0, (4, 2)))


def _cell(axes: Axes, theme: Theme, corner: tuple[int, int], count: int, total: int, word: str) -> None:
    share = count / total if total else 0.0
    colour = theme.normal if corner[0] == corner[1] else theme.abnormal
    x, y = corner
    axes.fill(
        [x + 0.02, x + 0.98, x + 0.98, x + 0.02],
        [y + 0.02, y + 0.02, y + 0.98, y + 0.98],
        color=colour,
        alpha=0.08 + 0.42 * share,
        linewidth=0,
    )
    centre: dict[str, Any] = {"ha": "center", "va": "center", "color": theme.ink}
    axes.text(x + 0.5, y + 0.42, f"{count}", fontsize=LARGE, fontweight="bold", **centre)
    told = f"{word}, {percent(share)}" if total else word
    axes.text(x + 0.5, y + 0.7, told, fontsize=BODY, **centre)


def _mark(axes: Axes, theme: Theme, here: tuple[float, float]) -> None:
    """Mark where on a curve the threshold stands, with the words where there is room."""
    axes.plot(*here, "o", color=theme.abnormal, markersize=8, markeredgecolor=theme.page, zorder=5)
    side, across = ("right", -9) if here[0] > 0.5 else ("left", 9)
    told, offset = "at the threshold", (across, 6 if here[1] < 0.12 else -14)
    axes.annotate(
        told, here, offset, textcoords="offset points", color=theme.ink, fontsize=BODY, ha=side, zorder=6
    )


def _unit_square(axes: Axes, theme: Theme, xlabel: str, ylabel: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_yticks(ticks, ["0", "25 %", "50 %", "75 %", "100 %"])
    dress(axes, theme, xlabel=xlabel, ylabel=ylabel)


def _note(axes: Axes, theme: Theme, headline: str, line: str, corner: tuple[float, float]) -> None:
    x, y = corner
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right" if x > 0.5 else "left"}
    axes.text(x, y, headline, fontsize=BODY + 2, fontweight="bold", color=theme.ink, **place)
    axes.text(x, y - 0.06, line, fontsize=SMALL, color=theme.muted, **place)
