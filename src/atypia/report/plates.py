"""Which figures a report shows, in which order, and how each is to be read."""

from __future__ import annotations

import numpy as np

from atypia.evaluation.cases import Case
from atypia.evaluation.evaluation import Evaluation
from atypia.evaluation.leaks import WORD
from atypia.evaluation.lesions import OVERLAP
from atypia.report import pictures, plots, promise_plots
from atypia.report.card import ReportCard
from atypia.report.pictures import PictureScale
from atypia.report.plate import Plate, chart, picture

_AT = ("1 %", "5 %", "10 %")


def verdict_plates(evaluation: Evaluation, card: ReportCard) -> list[Plate]:
    """Draw what tells how well whole scans were judged; curves need scans of both labels."""
    plates = [_histograms(evaluation, card), _confusion(evaluation)]
    if evaluation.image.confusion.normal and evaluation.image.confusion.abnormal:
        plates += [_roc(evaluation), _precision_recall(evaluation)]
    return plates


def promise_plates(evaluation: Evaluation) -> list[Plate]:
    """Draw whether the p-values of normal scans are as they promise to be."""
    measured, verdicts = evaluation.p_values, evaluation.verdicts
    if measured is None:
        return []
    p_values = verdicts.p_values[~verdicts.labels & np.isfinite(verdicts.p_values)]
    found = ", ".join(f"{100 * share:.1f} % at {at}" for share, at in zip(measured.shares, _AT, strict=True))
    return [
        chart(
            "p_values",
            _titled(evaluation, "p-values of normal scans"),
            "A line on the diagonal means that p-values keep their word: of normal scans, 5 % have a p-value "
            "of at most 5 %. Above it there are more false alarms than promised, below it fewer. The band is "
            f"what chance leaves open, with {measured.groups} groups.",
            f"Distribution of {measured.scans} p-values against the diagonal: {found}. At most "
            f"{measured.excess:.3f} above it, with a band of {measured.band:.3f}.",
            lambda theme: promise_plots.p_value_calibration(p_values, measured, theme),
        )
    ]


def place_plates(evaluation: Evaluation) -> list[Plate]:
    """Draw how many lesions are found for how many false places."""
    lesions = evaluation.pixel.lesions if evaluation.pixel else None
    if lesions is None or not lesions.lesions:
        return []
    return [
        chart(
            "lesions",
            _titled(evaluation, "Lesions found (FROC)"),
            f"How many of {lesions.lesions} lesions some place of the map covers (intersection over union "
            f"of at least {OVERLAP:g}), for how many places that cover none. Squares are the figures of the "
            "table with their 95 % intervals, dots the thresholds.",
            f"Curve of lesions found against false places per slice, over {lesions.slices} slices; "
            f"{lesions.at['lesions_at_1']:.2f} of them at one false place per slice.",
            lambda theme: promise_plots.lesion_curve(lesions, theme),
        )
    ]


def training_plate(card: ReportCard) -> Plate | None:
    """Draw the training, where the detector has trained a network."""
    if not any("loss" in entry for entry in card.history):
        return None
    last = card.history[-1]
    return chart(
        "training_curve",
        "Training",
        "A falling line means that the network still learns."
        + (" Validation is told, but chose nothing." if "validation_loss" in last else ""),
        f"Line chart of the loss over {len(card.history)} epochs, ending at {last.get('loss', np.nan):.4g}.",
        lambda theme: plots.training_curve(card.history, theme),
    )


def reconstruction_plates(evaluation: Evaluation, scale: PictureScale) -> list[Plate]:
    """Draw scans as the detector saw and expected them, where it reconstructs."""
    drawn = (("normal", evaluation.cases.drawn_normal), ("abnormal", evaluation.cases.drawn_abnormal))
    return [
        _reconstructions(label, cases[:3], scale)
        for label, cases in drawn
        if any(pictures.residual(case) is not None for case in cases[:3])
    ]


def case_plates(evaluation: Evaluation, scale: PictureScale) -> list[Plate]:
    """Draw the worst and the best cases of both labels."""
    kept = evaluation.cases
    sorts = [
        (
            "highest_normal",
            "Normal scans that look least normal",
            "The normal scans with the highest scores: false alarms, or next to being one.",
            kept.highest_normal,
        ),
        (
            "lowest_abnormal",
            "Abnormal scans that look most normal",
            "The abnormal scans with the lowest scores: missed, or next to being missed.",
            kept.lowest_abnormal,
        ),
        (
            "lowest_normal",
            "Normal scans that look most normal",
            "The normal scans with the lowest scores.",
            kept.lowest_normal,
        ),
        (
            "highest_abnormal",
            "Abnormal scans that look least normal",
            "The abnormal scans with the highest scores.",
            kept.highest_abnormal,
        ),
    ]
    return [
        _cases(name, _titled(evaluation, title), reading, cases, scale)
        for name, title, reading, cases in sorts
        if cases
    ]


def _titled(evaluation: Evaluation, title: str) -> str:
    """Return the title, marked where the scans were learned from: a figure may leave its page."""
    return f"{WORD}: {title}" if evaluation.leaks else title


def _histograms(evaluation: Evaluation, card: ReportCard) -> Plate:
    verdicts, threshold = evaluation.verdicts, evaluation.image.threshold
    calibration = np.empty(0) if card.calibration is None else np.asarray(card.calibration, dtype=np.float64)
    normal, abnormal = verdicts.scores[~verdicts.labels], verdicts.scores[verdicts.labels]
    counts = evaluation.image.confusion
    return chart(
        "score_histograms",
        _titled(evaluation, "Scores"),
        "The dashed line is the threshold, learned from the healthy calibration scans alone: "
        "whatever lies right of it is flagged.",
        f"Histograms of the scores on one axis. Threshold {threshold:.4g}. Above it are "
        f"{counts.false_positive} of {counts.normal} normal and {counts.true_positive} of "
        f"{counts.abnormal} abnormal test scans.",
        lambda theme: plots.loss_histograms(calibration, normal, abnormal, threshold, theme),
    )


def _confusion(evaluation: Evaluation) -> Plate:
    counts = evaluation.image.confusion
    return chart(
        "confusion_matrix",
        _titled(evaluation, "Verdicts"),
        "Rows are what a scan is, columns what was said of it. Blue is right, orange is wrong.",
        f"Confusion matrix: {counts.true_negative} normal scans passed, {counts.false_positive} were false "
        f"alarms, {counts.false_negative} abnormal scans missed, {counts.true_positive} caught.",
        lambda theme: plots.confusion_matrix(counts, theme),
    )


def _roc(evaluation: Evaluation) -> Plate:
    image, verdicts = evaluation.image, evaluation.verdicts
    return chart(
        "roc",
        _titled(evaluation, "ROC: every threshold at once"),
        "The nearer the line comes to the upper left corner, the better; the dotted line is guessing.",
        f"ROC curve with an area of {image.auroc:.3f}; at the threshold the sensitivity is "
        f"{image.confusion.sensitivity:.3f} and the specificity {image.confusion.specificity:.3f}.",
        lambda theme: plots.receiver_operating_characteristic(verdicts, image, theme),
    )


def _precision_recall(evaluation: Evaluation) -> Plate:
    image, verdicts = evaluation.image, evaluation.verdicts
    return chart(
        "precision_recall",
        _titled(evaluation, "Precision and recall"),
        "How many of the flagged scans are abnormal (upwards) for how many of the abnormal ones found "
        "(rightwards); it depends on how many scans are abnormal.",
        f"Precision-recall curve with an average precision of {image.average_precision:.3f}.",
        lambda theme: plots.precision_recall(verdicts, image, theme),
    )


def _reconstructions(label: str, cases: tuple[Case, ...], scale: PictureScale) -> Plate:
    return picture(
        f"reconstructions_{label}",
        f"{label.capitalize()} scans, picked without looking",
        "From top to bottom: what the detector was given, what it expected, how far the two differ, and the "
        "heat map on the scan"
        + (", with the true outline in cyan." if label == "abnormal" else ".")
        + _dashed(cases),
        f"{len(cases)} {label} scans: input, reconstruction, residual and heat map of each.",
        pictures.reconstructions(cases, scale),
        cases,
    )


def _dashed(cases: tuple[Case, ...]) -> str:
    told = any(case.regions is not None and case.regions.any() for case in cases)
    return " Dashed are the regions unlike healthy scans." if told else ""


def _cases(name: str, title: str, reading: str, cases: tuple[Case, ...], scale: PictureScale) -> Plate:
    outlined = any(case.mask is not None for case in cases)
    flagged = sum(case.flagged for case in cases)
    return picture(
        name,
        title,
        reading + (" Cyan is the true outline." if outlined else "") + _dashed(cases),
        f"{len(cases)} scans with their heat maps below them; {flagged} of them were flagged.",
        pictures.cases(cases, scale),
        cases,
    )
