"""The figures of an evaluation in words and tiles, for the first screen of a report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.intervals import Interval


@dataclass(frozen=True)
class Tile:
    """One headline figure in [0, 1], NaN where undefined, with its 95 % interval and what it means."""

    label: str
    value: float
    interval: Interval
    fraction: str
    meaning: str

    @property
    def known(self) -> bool:
        """Whether the figure is defined."""
        return not math.isnan(self.value)


def tiles(image: ImageMetrics) -> list[Tile]:
    """Return the four figures that a reader asks for first."""
    counts, ends = image.confusion, image.intervals
    return [
        Tile(
            "AUROC",
            image.auroc,
            ends["auroc"],
            f"{counts.abnormal} abnormal, {counts.normal} normal",
            "how often an abnormal scan outscores a normal one",
        ),
        Tile(
            "Accuracy",
            counts.accuracy,
            ends["accuracy"],
            f"{counts.right}/{counts.abnormal + counts.normal}",
            "scans judged right",
        ),
        Tile(
            "Sensitivity",
            counts.sensitivity,
            ends["sensitivity"],
            f"{counts.true_positive}/{counts.abnormal}",
            "abnormal scans caught",
        ),
        Tile(
            "Specificity",
            counts.specificity,
            ends["specificity"],
            f"{counts.true_negative}/{counts.normal}",
            "normal scans passed",
        ),
    ]


def summary(image: ImageMetrics) -> str:
    """Return what came out, in plain words.

    >>> from atypia.evaluation.metrics import Confusion
    >>> summary(ImageMetrics(0.75, 0.7, Confusion(3, 1, 0, 5), threshold=1.0, unreadable=0))
    'The detector caught 3 of 4 abnormal scans and raised a false alarm on none of 5 normal scans. Shown \
one abnormal and one normal scan, it would give the abnormal one the higher score 75 times in 100.'
    """
    counts = image.confusion
    said = [
        f"caught {_part(counts.true_positive, counts.abnormal, 'abnormal')}",
        f"raised a false alarm on {_part(counts.false_positive, counts.normal, 'normal')}",
    ]
    said = [clause for clause, of in zip(said, (counts.abnormal, counts.normal), strict=True) if of]
    sentences = [f"The detector {' and '.join(said)}.", _ranking(image.auroc)]
    if image.unreadable:
        sentences.append(f"{_scans(image.unreadable, '')} could not be judged.".replace("  ", " "))
    return " ".join(sentence for sentence in sentences if sentence)


def _ranking(auroc: float) -> str:
    if math.isnan(auroc):
        return ""
    words = "Shown one abnormal and one normal scan, it would give the abnormal one the higher score "
    words += f"{100 * auroc:.0f} times in 100."
    if auroc < 0.5:
        words += " That is worse than guessing: these scores run backwards."
    return words


def _part(count: int, whole: int, kind: str) -> str:
    return f"{count or 'none'} of {_scans(whole, kind)}"


def _scans(count: int, kind: str) -> str:
    return f"{count} {kind} {'scan' if count == 1 else 'scans'}"
