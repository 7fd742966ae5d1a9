"""The page of a choice without labels: candidates by what they made of simulated lesions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from atypia.atomic import write_whole
from atypia.evaluation.plain import plain
from atypia.report.page import render, write_json
from atypia.report.plate import chart
from atypia.report.theme import BODY, SMALL, Theme, dress, new_figure

SCHEMA = 1
SHOWN = 46
CRITERIA = {
    "auroc": "AUROC of scans with a simulated lesion against the same scans without",
    "precision": "pixel average precision of the simulated lesions",
    "mean": "mean of AUROC and pixel average precision of simulated lesions",
}


@dataclass(frozen=True)
class Candidate:
    """One candidate that finished: the criterion's value, both figures of the trial, and its costs."""

    name: str
    value: float
    auroc: float
    precision: float
    costs: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ChoicePage:
    """All that the page tells; `candidates` come by falling criterion `by`, `failures` are (name, why).

    `tried` is the number of healthy scans that each candidate met with and without a lesion.
    """

    candidates: tuple[Candidate, ...]
    by: str
    tried: int
    failures: tuple[tuple[str, str], ...]
    facts: Mapping[str, Any]
    command: str | None
    notices: tuple[str, ...]

    @property
    def winner(self) -> Candidate:
        """The first."""
        return self.candidates[0]

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        return CRITERIA[self.by]

    def verdict(self) -> str:
        """Return who is chosen, and how far that is from chance, in plain words."""
        first = self.winner
        told = [
            f"{first.name} is chosen: simulated lesions found with an AUROC of {first.auroc:.3f}, located "
            f"with a pixel average precision of {first.precision:.3f}."
        ]
        error = standard_error(first.auroc, self.tried)
        told.append(f"On {self.tried} scans that AUROC has a standard error of about {error:.3f}.")
        near = [one.name for one in self.candidates[1:] if first.auroc - one.auroc <= error]
        if near and self.by != "precision":
            told.append(f"Within it: {', '.join(near)}; the cheapest of them may do as well.")
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `choice.json`: plain JSON values, None for what is undefined."""
        values = {
            "schema": SCHEMA,
            "atypia": version("atypia"),
            "by": self.by,
            "criterion": self.criterion,
            "chosen": self.winner.name,
            "verdict": self.verdict(),
            "standard_error": standard_error(self.winner.auroc, self.tried),
            "candidates": [
                {
                    "place": place,
                    "name": one.name,
                    "criterion": one.value,
                    "auroc": one.auroc,
                    "precision": one.precision,
                    "costs": dict(one.costs),
                }
                for place, one in enumerate(self.candidates, 1)
            ],
            "failures": [{"name": name, "error": error} for name, error in self.failures],
            "data": dict(self.facts),
            "notices": self.notices,
        }
        return plain(values)  # type: ignore[no-any-return]

    def to_markdown(self) -> str:
        """Return the candidates as a table in text."""
        mean = ["mean"] if self.by == "mean" else []
        head = ["", *mean, "AUROC", "pixel AP", "fit, min", "scans/s", "saved, MiB"]
        lines = [head, ["---"] * len(head)]
        for place, one in enumerate(self.candidates, 1):
            figures = (
                [one.auroc, one.precision] if self.by != "mean" else [one.value, one.auroc, one.precision]
            )
            seconds = one.costs.get("fit_seconds")
            costs = [
                "" if seconds is None else f"{seconds / 60:.1f}",
                _cell(one.costs.get("images_per_second"), 0),
                _cell(one.costs.get("artefact_mib"), 1),
            ]
            lines.append([f"{place} {one.name}", *(f"{value:.3f}" for value in figures), *costs])
        lines += [[name, "failed", *[""] * (len(head) - 2)] for name, _ in self.failures]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def standard_error(auroc: float, count: int) -> float:
    """Return the standard error of an AUROC of `count` scans against as many, taken as independent.

    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic curve",
    Radiology 143 (1982), equation 2 with their exponential model.

    >>> round(standard_error(0.9, 50), 3)
    0.032
    """
    once, twice = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = auroc * (1 - auroc) + (count - 1) * (once + twice - 2 * auroc**2)
    return math.sqrt(max(spread, 0.0)) / count


def write_choice(page: ChoicePage, out: Path) -> Path:
    """Write `choice.json`, the figure and `choice.html`, and return the page's path.

    Each appears whole or not at all, the page last. Raises OutputError where one cannot be written.
    """
    with style.context("default"):
        plate = chart(
            "choice",
            "What each made of simulated lesions",
            "Further right is better. A filled point is the AUROC, where 0.5 is guessing, with one standard "
            "error to each side; an open diamond is the average precision of the map's pixels.",
            "A row for each candidate: a filled point for its AUROC with a line for its standard error, and "
            "an open diamond for its pixel average precision.",
            lambda theme: _dots(page, theme),
        )
    write_whole(out / "figures" / f"{plate.name}.png", plate.png)
    write_json(out / "choice.json", page.to_dict(), indent=2)
    write_whole(out / "choice.html", render("choice.html.jinja", page=page, plate=plate))
    return out / "choice.html"


def _dots(page: ChoicePage, theme: Theme) -> Figure:
    figure = new_figure(1.6 + 0.36 * len(page.candidates), width=7.2)
    axes = figure.subplots()
    for place, one in enumerate(reversed(page.candidates)):
        error = standard_error(one.auroc, page.tried)
        ends = (max(one.auroc - error, 0), min(one.auroc + error, 1))
        axes.plot(ends, (place, place), color=theme.normal, linewidth=2.2, solid_capstyle="round")
        axes.plot(one.auroc, place, "o", color=theme.normal, markersize=6.5)
        axes.plot(
            one.precision, place, "D", color=theme.abnormal, markersize=6, markerfacecolor="none", mew=1.6
        )
    axes.axvline(0.5, color=theme.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    dress(axes, theme, xlabel="simulated lesions:  ●  AUROC by scan     ◇  average precision by pixel")
    names = [_short(one.name) for one in reversed(page.candidates)]
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(range(len(names)), names, fontsize=SMALL if len(names) > 14 else BODY, parse_math=False)
    axes.tick_params(axis="y", colors=theme.ink, length=0)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= SHOWN else f"{name[: SHOWN - 1]}…"


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
