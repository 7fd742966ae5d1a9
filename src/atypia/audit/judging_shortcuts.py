"""The verdicts on shortcuts: whether the classes, and the splits, are told apart without the brain."""

from __future__ import annotations

from collections.abc import Iterator

from atypia.audit.shortcut import Shortcut
from atypia.audit.shortcuts import BLIND, Comparison
from atypia.audit.verdict import Severity, Verdict
from atypia.audit.words import area, plain_name

TELLS = 0.8
HINTS = 0.65
"""From which sure AUROC a shortcut is grave, and from which it is told."""


def judge_comparison(comparison: Comparison) -> Iterator[Verdict]:
    """Yield the verdicts on what tells the classes, or the splits, apart."""
    yield from _classes(comparison) if comparison.title == "Classes" else _splits(comparison)


def _classes(comparison: Comparison) -> Iterator[Verdict]:
    blind, seeing = comparison.best(blind=True), comparison.best(blind=False)
    if comparison.refused or blind is None:
        refused = comparison.refused or "No number differs between any two scans."
        title = "Whether the classes differ by their source could not be measured."
        yield Verdict(Severity.NOTE, "shortcuts", title, refused)
        return
    single = max((s for s in comparison.scalars if s.group in BLIND), key=lambda s: s.auroc, default=blind)
    if blind.sure >= HINTS:
        yield Verdict(
            Severity.INVALID if blind.sure >= TELLS else Severity.WARNING,
            "shortcuts",
            f"The classes can be told apart without looking at the brain: AUROC {_both(single, blind)}.",
            "A detector may reach as much by telling sources apart. Take both classes from one source, made "
            "and saved alike, or report these figures beside the detector's.",
        )
    else:
        yield Verdict(
            Severity.GOOD,
            "shortcuts",
            "The classes can hardly be told apart without looking at the brain: the best is "
            f"AUROC {_of(blind)}.",
        )
    if seeing is not None and seeing.sure >= HINTS:
        yield Verdict(
            Severity.WARNING if seeing.sure >= TELLS else Severity.NOTE,
            "shortcuts",
            f"Brightness alone tells the classes apart with AUROC {_of(seeing)}.",
            "It may be the disease, or the contrast agent, or the scanner. A detector has to beat it.",
        )


def _splits(comparison: Comparison) -> Iterator[Verdict]:
    best = max(
        (*comparison.scalars, *comparison.models), key=lambda found: (found.sure, found.auroc), default=None
    )
    if comparison.refused or best is None:
        return
    if best.sure >= HINTS:
        yield Verdict(
            Severity.WARNING,
            "shortcuts",
            f"Normal scans of test differ from those of train: AUROC {_of(best)}.",
            "They should be alike, or false alarms will not come as often as the threshold promises.",
        )
    else:
        title = f"Normal scans of train and test are alike: the best is AUROC {_of(best)}."
        yield Verdict(Severity.GOOD, "shortcuts", title)


def _both(single: Shortcut, best: Shortcut) -> str:
    if best is single or best.auroc <= single.auroc:
        return _of(single)
    return f"{_of(single)} alone, {_of(best)}"


def _of(found: Shortcut) -> str:
    return f"{area(found.auroc, found.interval)} from {plain_name(found.name)}"
