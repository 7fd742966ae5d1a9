"""The page of an audit, `audit.html`, and its figures as JSON, `audit.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.audit.audit import Audit
from atypia.audit.document import document
from atypia.audit.galleries import hang
from atypia.audit.judging import judge
from atypia.audit.judging_shortcuts import HINTS
from atypia.audit.leaks import Touched
from atypia.audit.shortcuts import BLIND, Comparison
from atypia.audit.spread import spread_plate
from atypia.audit.verdict import Severity, Verdict
from atypia.audit.words import area, percent, plain_name
from atypia.notice import RESEARCH_USE_ONLY
from atypia.report.page import render, write_json

LISTED = 30
"""How many unreadable files the page names; `audit.json` names all."""

_HEADLINES = {
    Severity.INVALID: "Figures measured on this set as it stands would not hold",
    Severity.WARNING: "Usable with care",
    Severity.NOTE: "Nothing grave was found",
    Severity.GOOD: "Nothing grave was found",
}
_WORDS = {
    Severity.INVALID: ("✕", "invalidates"),
    Severity.WARNING: ("!", "mend or tell"),
    Severity.NOTE: ("i", "note"),
    Severity.GOOD: ("✓", "sound"),
}
_SEES = {
    "file": "the file",
    "frame": "around the head",
    "outside": "around the head",
    "table": "the table",
    "intensity": "greys",
    "together": "all of these",
}


@dataclass(frozen=True)
class Tile:
    """One large figure with what it counts."""

    label: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Written:
    """What was written, and the verdicts, the gravest first."""

    page: Path
    verdicts: tuple[Verdict, ...] = field(default_factory=tuple)

    @property
    def invalid(self) -> bool:
        """Whether something would invalidate an evaluation."""
        return any(verdict.severity is Severity.INVALID for verdict in self.verdicts)


def write_audit(audit: Audit, out: Path, *, title: str = "Audit", command: str | None = None) -> Written:
    """Write `audit.html` and `audit.json` into `out`; the page holds its pictures and runs no script.

    Each file appears whole or not at all, the page last. Raises OutputError where one cannot be written.
    """
    verdicts = judge(audit)
    write_json(out / "audit.json", document(audit, verdicts))
    write_whole(out / "audit.html", _page(audit, verdicts, title, command))
    return Written(out / "audit.html", verdicts)


def _page(audit: Audit, verdicts: tuple[Verdict, ...], title: str, command: str | None) -> str:
    return render(
        "audit.html.jinja",
        package="atypia.audit",
        filters={"percent": percent, "plain": plain_name, "bar": _bar, "area": area},
        audit=audit,
        title=title,
        command=command,
        verdicts=verdicts,
        headline=_HEADLINES[verdicts[0].severity] if verdicts else _HEADLINES[Severity.GOOD],
        words={severity: _WORDS[severity] for severity in Severity},
        tiles=_tiles(audit),
        galleries=hang(audit),
        comparisons=[_shown(comparison, audit) for comparison in audit.comparisons],
        kinds=_kinds(audit),
        source=audit.source,
        sees=_SEES,
        blind=BLIND,
        hints=HINTS,
        listed=LISTED,
        notice=RESEARCH_USE_ONLY,
    )


def _tiles(audit: Audit) -> list[Tile]:
    labels = [row.label for row in audit.rows]
    known = f"{labels.count('normal'):,} normal, {labels.count('abnormal'):,} abnormal"
    tiles = [Tile("Images", f"{len(audit.rows):,}", known if any(labels) else "without labels")]
    if audit.clusters_known:
        copies = audit.readable - audit.distinct
        tiles.append(Tile("Distinct images", f"{audit.distinct:,}", f"{copies:,} more are copies of these"))
    held_out = [touched for touched in audit.leaks.held_out if touched.split == "test"]
    if held_out and audit.knows_fellows:
        tiles.append(_leak_tile(held_out[0]))
    elif not math.isnan(audit.leaks.random) and audit.knows_fellows:
        meaning = "of its test scans, a fifth held out, would have a fellow in the rest"
        tiles.append(Tile("A random split would leak", percent(audit.leaks.random), meaning))
    for comparison in audit.comparisons:
        best = comparison.best(blind=True) if comparison.title == "Classes" else None
        if best is not None:
            tiles.append(
                Tile("Classes without the brain", f"{best.auroc:.2f}", f"AUROC from {plain_name(best.name)}")
            )
    if audit.strangers is not None:
        tiles.append(Tile("To look at", f"{len(audit.strangers):,}", "images that stand out"))
    return tiles


def _leak_tile(touched: Touched) -> Tile:
    """Tell of the normal test scans, for only normal ones are learned from; else of all."""
    known = "have a fellow in what was learned from"
    if touched.normal_share is None:
        meaning = f"{touched.either:,} of {touched.scans:,} scans of test {known}"
        return Tile("Test that leaks", percent(touched.share), meaning)
    meaning = f"{touched.normal_touched:,} of {touched.normal:,} normal scans of test {known}"
    return Tile("Normal test that leaks", percent(touched.normal_share), meaning)


def _shown(comparison: Comparison, audit: Audit) -> Mapping[str, Any]:
    """Return a comparison with its figure, where there is something to see, and whether there is."""
    singles = [found for found in comparison.scalars if found.group in BLIND and found.higher is not None]
    telling = any(found.sure >= HINTS for found in (*comparison.scalars, *comparison.models))
    best = singles[0] if singles and telling else None
    plate = spread_plate(comparison, best, audit) if best else None
    return {"of": comparison, "plate": plate, "telling": telling}


def _kinds(audit: Audit) -> list[tuple[str, str, int]]:
    """Return how often copies are of each kind, the commonest first: kind, how it lies, pairs."""
    counts: dict[tuple[str, str], int] = {}
    for pair in audit.pairs:
        counts[pair.kind, pair.transform] = counts.get((pair.kind, pair.transform), 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [(kind, transform, count) for (kind, transform), count in ordered]


def _bar(share: float) -> str:
    """Return where an AUROC lies on a bar from 0.5 to 1, in percent of its width."""
    return f"{100 * min(max(2 * share - 1, 0), 1):.1f}"
