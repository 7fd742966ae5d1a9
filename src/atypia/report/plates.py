"""Which figures a report shows, in which order, and how each is to be read."""

from __future__ import annotations

import numpy as np

from atypia.evaluation.cases import Case
from atypia.evaluation.evaluation import Evaluation
from atypia.report import pictures, plots
from atypia.report.card import ReportCard
from atypia.report.pictures import PictureScale
from atypia.report.plate import Plate, chart, picture


def verdict_plates(evaluation: Evaluation, card: ReportCard) -> list[Plate]:
    """Draw what tells how well whole scans were judged; curves need scans of both labels."""
    plates = [_histograms(evaluation, card), _confusion(evaluation)]
    if evaluation.image.confusion.normal and evaluation.image.confusion.abnormal:
        plates += [_roc(evaluation), _precision_recall(evaluation)]
    return plates


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
    return [_cases(name, title, reading, cases, scale) for name, title, reading, cases in sorts if cases]


def _histograms(evaluation: Evaluation, card: ReportCard) -> Plate:
    verdicts, threshold = evaluation.verdicts, evaluation.image.threshold
    calibration = np.empty(0) if card.calibration is None else np.asarray(card.calibration, dtype=np.float64)
    normal, abnormal = verdicts.scores[~verdicts.labels], verdicts.scores[verdicts.labels]
    counts = evaluation.image.confusion
    return chart(
        "score_histograms",
        "Scores",
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
        "Verdicts",
        "Rows are what a scan is, columns what was said of it. Blue is right, orange is wrong.",
        f"Confusion matrix: {counts.true_negative} normal scans passed, {counts.false_positive} were false "
        f"alarms, {counts.false_negative} abnormal scans missed, {counts.true_positive} caught.",
        lambda theme: plots.confusion_matrix(counts, theme),
    )


def _roc(evaluation: Evaluation) -> Plate:
    image, verdicts = evaluation.image, evaluation.verdicts
    return chart(
        "roc",
        "ROC: every threshold at once",
        "The nearer the line comes to the upper left corner, the better; the dotted line is guessing.",
        f"ROC curve with an area of {image.auroc:.3f}; at the threshold the sensitivity is "
        f"{image.confusion.sensitivity:.3f} and the specificity {image.confusion.specificity:.3f}.",
        lambda theme: plots.receiver_operating_characteristic(verdicts, image, theme),
    )


def _precision_recall(evaluation: Evaluation) -> Plate:
    image, verdicts = evaluation.image, evaluation.verdicts
    return chart(
        "precision_recall",
        "Precision and recall",
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
        "heat map on the scan" + (", with the true outline in cyan." if label == "abnormal" else "."),
        f"{len(cases)} {label} scans: input, reconstruction, residual and heat map of each.",
        pictures.reconstructions(cases, scale),
        cases,
    )


def _cases(name: str, title: str, reading: str, cases: tuple[Case, ...], scale: PictureScale) -> Plate:
    outlined = any(case.mask is not None for case in cases)
    flagged = sum(case.flagged for case in cases)
    return picture(
        name,
        title,
        reading + (" Cyan is the true outline." if outlined else ""),
        f"{len(cases)} scans with their heat maps below them; {flagged} of them were flagged.",
        pictures.cases(cases, scale),
        cases,
    )
