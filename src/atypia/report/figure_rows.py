"""All figures of an evaluation as the rows of its tables: with intervals, and with what they stand beside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from atypia.evaluation.baselines import Baseline
from atypia.evaluation.evaluation import Evaluation
from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.intervals import NOWHERE, Interval
from atypia.evaluation.lesions import RATES, LesionMetrics, rate_name
from atypia.evaluation.p_value_metrics import AT
from atypia.evaluation.pixel_metrics import PixelMetrics
from atypia.evaluation.strata import Stratum
from atypia.evaluation.weighted import FALSE_ALARMS, sensitivity_name


@dataclass(frozen=True)
class FigureRow:
    """One figure, NaN where undefined, with its 95 % interval and what is to be said of it."""

    name: str
    value: float
    interval: Interval
    remark: str = ""
    mark: str = ""


def image_rows(image: ImageMetrics, what: str = "scans") -> list[FigureRow]:
    """Return the figures of whole scans, or of groups."""
    told = {
        "auroc": ("AUROC", ""),
        "average_precision": ("Average precision", ""),
        **{
            sensitivity_name(rate): (
                f"Sensitivity at {100 * rate:g} % false alarms",
                f"read off the ROC curve: its threshold is set by these very normal {what}",
            )
            for rate in FALSE_ALARMS
        },
        "accuracy": ("Accuracy", "at the threshold"),
        "sensitivity": ("Sensitivity", "at the threshold"),
        "specificity": ("Specificity", "at the threshold"),
        "false_alarm_rate": ("False alarms", _promise(image, what)),
    }
    figures = image.figures
    return [
        FigureRow(label, figures[name], image.interval(name), remark)
        for name, (label, remark) in told.items()
    ]


def group_rows(evaluation: Evaluation) -> list[FigureRow]:
    """Return the figures of groups that are defined: without normal groups there are few."""
    if evaluation.group is None:
        return []
    return [row for row in image_rows(evaluation.group.image, "groups") if not math.isnan(row.value)]


def patient_rows(evaluation: Evaluation) -> list[FigureRow]:
    """Return the figures of patients as a whole that are defined."""
    if evaluation.patient is None:
        return []
    return [row for row in image_rows(evaluation.patient.image, "patients") if not math.isnan(row.value)]


def baseline_rows(evaluation: Evaluation) -> list[FigureRow]:
    """Return the AUROC of each trivial baseline, and what the detector is ahead of the best by."""
    if evaluation.baselines is None:
        return []
    best = evaluation.baselines.best
    rows = [
        FigureRow(
            f"AUROC of {_plain(baseline.name)} alone",
            baseline.auroc,
            baseline.interval,
            f"{baseline.meaning}; {_direction(baseline)}",
            "best baseline" if baseline is best else "",
        )
        for baseline in evaluation.baselines.of
    ]
    if best is not None:
        remark = f"{_beaten(best)}; both on the same resamples"
        name = f"Detector ahead of {_plain(best.name)} by"
        rows.append(FigureRow(name, best.difference, best.difference_interval, remark))
    return rows


def pixel_rows(pixel: PixelMetrics) -> list[FigureRow]:
    """Return the figures of pixels."""
    told = {
        "auroc": ("Pixel AUROC", "most pixels are background: look at the next figure too"),
        "average_precision": ("Pixel average precision", ""),
        "aupro": ("AUPRO", "overlap per region, up to 30 % false-positive pixels"),
        "dice": ("Dice", "at the threshold from healthy scans"),
        "best_dice": ("Best possible Dice", "its threshold is chosen with the masks: an upper bound"),
    }
    return [
        FigureRow(label, pixel.figures[name], pixel.interval(name), remark)
        for name, (label, remark) in told.items()
    ]


def lesion_rows(lesions: LesionMetrics) -> list[FigureRow]:
    """Return the share of lesions found at each rate of false places."""
    return [
        FigureRow(
            f"at {rate:g} false places per slice",
            lesions.at[rate_name(rate)],
            lesions.intervals.get(rate_name(rate), NOWHERE),
        )
        for rate in RATES
    ]


def promise_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what was asked for and what came, as names and words."""
    image, measured = evaluation.image, evaluation.p_values
    rows = []
    if not math.isnan(image.alpha) and image.confusion.normal:
        rows.append(("False alarms asked for", f"{100 * image.alpha:.3g} %"))
        rows.append(("False alarms realised", f"{100 * image.false_alarm_rate:.1f} %"))
    if measured is not None:
        rows += [
            (f"Normal scans with p of at most {100 * at:g} %", f"{100 * share:.1f} %")
            for at, share in zip(AT, measured.shares, strict=True)
        ]
        rows += [
            ("Furthest above the diagonal", f"{measured.excess:.3f}"),
            ("Furthest below it", f"{measured.shortfall:.3f}"),
            ("Left open by chance", f"{measured.band:.3f}"),
            ("Test scans, their groups", f"{measured.scans}, {measured.groups}"),
        ]
        if measured.calibration_groups:
            rows.append(("Groups of the calibration", f"{measured.calibration_groups}"))
    return rows


def strata_of(evaluation: Evaluation) -> Iterator[tuple[str, Sequence[Stratum]]]:
    """Yield, by column of the table, the strata that there are."""
    for column, strata in evaluation.strata.items():
        if strata:
            yield column, strata


def _promise(image: ImageMetrics, what: str) -> str:
    low, high = image.false_alarm_binomial
    if math.isnan(image.alpha) or math.isnan(low):
        return "at the threshold, whose rule is set for no rate" if what == "scans" else "any scan flagged"
    told = f"{100 * image.alpha:.3g} % asked for; binomial interval {low:.3f} to {high:.3f}"
    if low > image.alpha:
        return f"{told}: more than asked for"
    return f"{told}: less than asked for" if high < image.alpha else f"{told}: in line with it"


def _direction(baseline: Baseline) -> str:
    if baseline.auroc == 0.5:
        return "tells nothing apart"
    return f"{'more' if baseline.higher else 'less'} of it is taken for abnormal"


def _beaten(best: Baseline) -> str:
    words = {
        True: "the detector beats the best trivial number beyond chance",
        False: "the detector does not beat the best trivial number beyond chance",
        None: "no interval says whether the detector beats it",
    }
    return words[best.beaten]


def _plain(name: str) -> str:
    return name.replace("_", " ")
