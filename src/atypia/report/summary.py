"""The figures of an evaluation in words and tiles, for the first screen of a report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from atypia.evaluation.evaluation import Evaluation
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

    @property
    def sure(self) -> bool:
        """Whether there is an interval."""
        return self.known and not math.isnan(self.interval[0])


def tiles(image: ImageMetrics) -> list[Tile]:
    """Return the four figures that a reader asks for first."""
    counts = image.confusion
    return [
        Tile(
            "AUROC",
            image.auroc,
            image.interval("auroc"),
            f"{counts.abnormal} abnormal, {counts.normal} normal",
            "how often an abnormal scan outscores a normal one",
        ),
        Tile(
            "Accuracy",
            counts.accuracy,
            image.interval("accuracy"),
            f"{counts.right}/{counts.abnormal + counts.normal}",
            "scans judged right",
        ),
        Tile(
            "Sensitivity",
            counts.sensitivity,
            image.interval("sensitivity"),
            f"{counts.true_positive}/{counts.abnormal}",
            "abnormal scans caught",
        ),
        Tile(
            "Specificity",
            counts.specificity,
            image.interval("specificity"),
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
    if image.unfit:
        sentences.append(
            f"{_scans(image.unfit, '')} could be read but {_were(image.unfit)} unfit to be judged.".replace(
                "  ", " "
            )
        )
    if image.unreadable:
        sentences.append(f"{_scans(image.unreadable, '')} could not be judged.".replace("  ", " "))
    return " ".join(sentence for sentence in sentences if sentence)


def drawn(evaluation: Evaluation) -> str:
    """Return how the intervals came about, in words."""
    if not evaluation.resamples:
        return "Intervals were not asked for."
    groups = evaluation.verdicts.bootstrap(0).groups
    alone = sum(group is None for group in evaluation.verdicts.groups or (None,) * len(evaluation.verdicts))
    said = f"Intervals are 95 %, from {evaluation.resamples} draws of whole groups, out of {groups}."
    if alone:
        said += f" {_scans(alone, '')} without a group count as their own.".replace("  ", " ")
    return said


def promise(evaluation: Evaluation) -> str:
    """Return whether the p-values and the false alarms are as promised, in words."""
    measured, image = evaluation.p_values, evaluation.image
    said = []
    if not math.isnan(image.alpha) and image.confusion.normal:
        low, high = image.false_alarm_binomial
        said.append(
            f"The threshold is set for {100 * image.alpha:.3g} % false alarms; there were "
            f"{100 * image.false_alarm_rate:.1f} % ({image.confusion.false_positive} of "
            f"{image.confusion.normal}, binomial interval {100 * low:.1f} to {100 * high:.1f} %)."
        )
    if measured is not None:
        said.append(
            "The p-values of normal scans are no smaller than promised, within chance."
            if measured.kept
            else "The p-values of normal scans are smaller than promised, beyond chance: new healthy scans "
            "are unlike those of the calibration."
        )
    return " ".join(said)


def unfit(evaluation: Evaluation) -> str:
    """Return which share of each label was unfit to be judged, in words."""
    words = ("normal", "abnormal")
    shares = ((word, evaluation.unfit_share(abnormal=word == "abnormal")) for word in words)
    return ", ".join(
        f"{100 * share:.1f} % of the {word} scans" for word, share in shares if not math.isnan(share)
    )


def _ranking(auroc: float) -> str:
    if math.isnan(auroc):
        return ""
    words = "Shown one abnormal and one normal scan, it would give the abnormal one the higher score "
    often = f"{100 * auroc:.0f}" if auroc in (0.0, 1.0) or 0.005 < auroc < 0.995 else f"{100 * auroc:.1f}"
    words += f"{often} times in 100."
    if auroc < 0.5:
        words += " That is worse than guessing: these scores run backwards."
    return words


def _part(count: int, whole: int, kind: str) -> str:
    return f"{count or 'none'} of {_scans(whole, kind)}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _scans(count: int, kind: str) -> str:
    return f"{count} {kind} {'scan' if count == 1 else 'scans'}"
