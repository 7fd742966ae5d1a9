"""The leaderboard: detectors on one split beside each other and beside the trivial scores, on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from atypia.atomic import write_whole
from atypia.evaluation.agreement import Agreement
from atypia.evaluation.plain import plain
from atypia.evaluation.standings import Pairing, Standing, Standings
from atypia.report.page import render, write_json
from atypia.report.plate import Plate, chart
from atypia.report.theme import BODY, SMALL, Theme, dress, new_figure

SCHEMA = 1
SIMULATED = ("simulated lesions: AUROC", "pixel AP of them")


@dataclass(frozen=True)
class Entry:
    """One row: its standing, whether it is a trivial score, figures at its own threshold, and its costs.

    `simulated` are the AUROC and the pixel precision of lesions simulated in healthy scans kept aside.
    """

    standing: Standing
    trivial: bool
    figures: Mapping[str, float | None] = field(default_factory=dict)
    costs: Mapping[str, float | None] = field(default_factory=dict)
    simulated: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """All that the page tells; `entries` come by falling AUROC, `failures` are (name, why).

    `leaks` are those of the `notes` that say how scans were learned from; every figure is then marked.
    `agreements` say whether simulated lesions order the detectors as the labels do.
    """

    entries: tuple[Entry, ...]
    standings: Standings
    best_baseline: str | None
    failures: tuple[tuple[str, str], ...]
    facts: Mapping[str, Any]
    leaks: tuple[str, ...]
    notes: tuple[str, ...]
    command: str | None
    notices: tuple[str, ...]
    agreements: tuple[Agreement, ...] = ()

    @property
    def detectors(self) -> tuple[Entry, ...]:
        """The entries that are detectors."""
        return tuple(entry for entry in self.entries if not entry.trivial)

    @property
    def tried(self) -> bool:
        """Whether simulated lesions told something of any detector."""
        return any(entry.simulated.get("auroc") is not None for entry in self.detectors)

    def verdict(self) -> str:
        """Return who leads, whether that holds, and whether it beats what is trivial, in plain words."""
        rows = [entry.standing for entry in self.detectors]
        leader = rows[0]
        told = [f"{leader.name} leads with an AUROC of {leader.auroc:.3f}."]
        level = [row.name for row in rows[1:] if not self._apart(leader.name, row.name)]
        if level:
            told.append(f"No test tells it from {_listed(level)}.")
        elif len(rows) > 1:
            told.append("Its lead over every other detector is more than chance.")
        if self.best_baseline is not None:
            told.append(self._against_trivial(leader.name, self.best_baseline))
        return " ".join(told)

    def agreement(self) -> str:
        """Return in a line how the criterion without labels agrees with the labels; empty where unknown."""
        same = [one for one in self.agreements if one.truth in (one.criterion, f"image {one.criterion}")]
        if not same:
            return ""
        told = "; ".join(
            f"simulated {one.criterion} with {one.truth}: Spearman {one.spearman:.2f}, Kendall "
            f"{one.kendall:.2f} (n = {one.count})"
            for one in same
        )
        return (
            f"Rank correlation of simulated lesions, which need no label, with the truth: {told}. A few "
            "detectors tell little, and one that learned from the same simulator is judged kindly."
        )

    def _against_trivial(self, leader: str, trivial: str) -> str:
        what = trivial.removeprefix("trivial: ")
        if not self._apart(leader, trivial):
            return f"But nothing shows that it beats a number that looks at no anatomy: {what}."
        first = self.standings.pairing(leader, trivial).first
        if first == leader:
            return f"It beats the best number that looks at no anatomy ({what})."
        return f"But a number that looks at no anatomy does better: {what}. Scores on this split say little."

    def _apart(self, one: str, other: str) -> bool:
        return self.standings.pairing(one, other).adjusted < 0.05

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `compare.json`: plain JSON values, None for what is undefined."""
        rows = [
            {
                "name": entry.standing.name,
                "trivial": entry.trivial,
                **{key: value for key, value in asdict(entry.standing).items() if key != "name"},
                "figures": dict(entry.figures),
                "costs": dict(entry.costs),
                "simulated": dict(entry.simulated),
            }
            for entry in self.entries
        ]
        values = {
            "schema": SCHEMA,
            "atypia": version("atypia"),
            "leaks": bool(self.leaks),
            "notes": self.notes,
            "verdict": self.verdict(),
            "rows": rows,
            "pairs": [asdict(pair) for pair in self.standings.pairs],
            "agreements": [asdict(agreement) for agreement in self.agreements],
            "best_baseline": self.best_baseline,
            "failures": [{"name": name, "error": error} for name, error in self.failures],
            "data": dict(self.facts),
            "notices": self.notices,
        }
        return plain(values)  # type: ignore[no-any-return]

    def to_markdown(self) -> str:
        """Return the chief columns as a table in text."""
        head = ["", "AUROC (95 %)", "AP", "sensitivity at 5 %", "pixel AP", *SIMULATED]
        head += ["fit, min", "scans/s", "MiB"]
        lines = [head, ["---"] * len(head)]
        lines += [self._cells(entry) for entry in self.entries]
        lines += [[name, "failed", *[""] * (len(head) - 2)] for name, _ in self.failures]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def _cells(self, entry: Entry) -> list[str]:
        row, cost = entry.standing, entry.costs
        low, high = row.auroc_interval
        seconds, pixel = cost.get("fit_seconds"), entry.figures.get("pixel_average_precision")
        leaks = " LEAKS" if self.leaks else ""
        return [
            f"{row.place} {row.name}",
            f"{row.auroc:.3f} ({low:.3f} to {high:.3f}){leaks}",
            f"{row.average_precision:.3f}",
            f"{row.sensitivity_at_5:.3f}",
            _cell(pixel, 3),
            *(_cell(entry.simulated.get(name), 3) for name in ("auroc", "precision")),
            "" if seconds is None else f"{seconds / 60:.1f}",
            _cell(cost.get("images_per_second")),
            _cell(cost.get("peak_mib")),
        ]


def write_leaderboard(board: Leaderboard, out: Path) -> Path:
    """Write `compare.json`, `compare.md`, the figures and `compare.html`, and return the page's path.

    Each appears whole or not at all, the page last. Raises OutputError where one cannot be written.
    """
    with style.context("default"):
        plates = _plates(board)
    for plate in plates:
        write_whole(out / "figures" / f"{plate.name}.png", plate.png)
    write_json(out / "compare.json", board.to_dict(), indent=2)
    agreement = [board.agreement(), ""] if board.agreement() else []
    write_whole(out / "compare.md", "\n".join((board.to_markdown(), "", *agreement, *board.notices, "")))
    write_whole(out / "compare.html", render("leaderboard.html.jinja", board=board, plates=plates))
    return out / "compare.html"


def _plates(board: Leaderboard) -> list[Plate]:
    plates = [
        chart(
            "leaderboard",
            "AUROC of each, with its 95 % interval",
            "Further right is better; 0.5 is guessing. Grey are trivial scores, turned to the side that does "
            "better on these very scans. Intervals that overlap may still differ: pairs are tested below.",
            "A row for each detector and trivial score: a point for its AUROC and a line for its interval.",
            lambda theme: _forest(board.entries, theme),
        )
    ]
    if board.standings.pairs:
        plates.append(
            chart(
                "leaderboard-pairs",
                "Differences of the AUROC, scan by scan on the same scans",
                "A line that leaves 0 out is beyond chance, before the correction for many pairs.",
                "A row for each pair: a point for the difference of the AUROC and a line for its interval.",
                lambda theme: _differences(board.standings.pairs, theme),
            )
        )
    return plates


def _forest(entries: tuple[Entry, ...], theme: Theme) -> Figure:
    figure = new_figure(1.4 + 0.34 * len(entries), width=7.2)
    axes = figure.subplots()
    for place, entry in enumerate(reversed(entries)):
        row, colour = entry.standing, theme.calibration if entry.trivial else theme.normal
        low, high = row.auroc_interval
        if math.isfinite(low):
            axes.plot((low, high), (place, place), color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(row.auroc, place, "o", color=colour, markersize=6.5)
    axes.axvline(0.5, color=theme.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    _name_rows(figure, [_short(entry.standing.name) for entry in reversed(entries)], theme, "AUROC")
    return figure


def _differences(pairs: tuple[Pairing, ...], theme: Theme) -> Figure:
    figure = new_figure(1.4 + 0.34 * len(pairs), width=7.2)
    axes = figure.subplots()
    for place, pair in enumerate(reversed(pairs)):
        colour = theme.abnormal if pair.adjusted < 0.05 else theme.calibration
        low, high = pair.interval
        if math.isfinite(low):
            axes.plot((low, high), (place, place), color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(pair.difference, place, "o", color=colour, markersize=6.5)
    axes.axvline(0, color=theme.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    names = [f"{_short(pair.first)} less {_short(pair.second)}" for pair in reversed(pairs)]
    _name_rows(figure, names, theme, "difference of the AUROC (orange: holds after Holm's correction)")
    return figure


def _name_rows(figure: Figure, names: list[str], theme: Theme, xlabel: str) -> None:
    axes = figure.axes[0]
    dress(axes, theme, xlabel=xlabel)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(range(len(names)), names, fontsize=SMALL if len(names) > 14 else BODY, parse_math=False)
    axes.tick_params(axis="y", colors=theme.ink, length=0)


def _short(name: str, most: int = 46) -> str:
    name = name.removeprefix("trivial: ")
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _cell(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
