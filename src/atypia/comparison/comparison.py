"""Detectors beside each other on one split: run, ranked, tested, and written as a leaderboard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.comparison.contestant import Contestant, Outcome
from atypia.comparison.judging import Judging
from atypia.comparison.running import outcome_of
from atypia.errors import BadTable
from atypia.evaluation.agreement import Agreement, rank_agreement
from atypia.evaluation.leaks import demand_no_leak, leaks_of
from atypia.evaluation.metrics import auroc
from atypia.evaluation.standings import Standings, standings
from atypia.notice import RESEARCH_USE_ONLY, SYNTHETIC
from atypia.reading.collection import Collection, Row
from atypia.report.leaderboard import Entry, Leaderboard, write_leaderboard
from atypia.scalars import TRIVIAL, measure_rows
from atypia.study import Study, grouped, study_of


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcomes in the order asked for, their standings among themselves and with the trivial scores."""

    outcomes: tuple[Outcome, ...]
    standings: Standings
    baselines: tuple[str, ...]
    left_out: int

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The contestants that gave no scores."""
        return tuple(outcome for outcome in self.outcomes if outcome.error is not None)

    @property
    def best_baseline(self) -> str | None:
        """The trivial score with the highest AUROC."""
        return next((row.name for row in self.standings.rows if row.name in self.baselines), None)


def compare(
    table: Collection,
    contestants: Sequence[Contestant],
    out: Path,
    *,
    seed: int = 0,
    split: str = "test",
    allow_leak: bool = False,
    command: str | None = None,
) -> Comparison:
    """Fit each contestant on the table's healthy parts, judge its `split`, and write the leaderboard.

    `out` gets a folder for each contestant, with its Screener and its own report, `compare.html` and
    `compare.json`. Each runs in a process of its own, one after the other, so that its memory is its own and
    what fails costs its own row alone. What is finished is not run again; an interrupted training goes on.
    Raises BadTable for a table that cannot be learned and tested from, or where no contestant finished.
    """
    _tested(table, split)
    table, ungrouped = grouped(table)
    leaks = tuple(leaks_of(table, split))
    demand_no_leak(table.source, leaks, allow=allow_leak)
    study = study_of(table.select(split=split), *leaks, *ungrouped)
    study = replace(study, clustered=bool(ungrouped), allow_leak=allow_leak)
    outcomes = []
    for number, contestant in enumerate(contestants, 1):
        print(f"{number} of {len(contestants)}: {contestant.name}", file=sys.stderr, flush=True)
        outcomes.append(outcome_of(Judging(contestant, table, study, out / contestant.name, seed)))
    comparison = _ranked(outcomes, study.scans, seed)
    write_leaderboard(_leaderboard(comparison, table, study, split, command), out)
    return comparison


def _tested(table: Collection, split: str) -> None:
    test = table.select(split=split)
    for part, label in ((table.select(split="train"), "normal"), (test, "normal"), (test, "abnormal")):
        if not len(part.select(label=label)):
            where = split if part is test else "train"
            raise BadTable(
                f"{table.source}: expected {label} rows whose split is {where}, received none. "
                "Make a table with 'atypia split'."
            )


def _ranked(outcomes: Sequence[Outcome], test: Collection, seed: int) -> Comparison:
    """Rank on the scans that every finished contestant judged."""
    finished = [outcome for outcome in outcomes if outcome.error is None]
    if not finished:
        told = "".join(f"\n  {outcome.name}: {outcome.error}" for outcome in outcomes)
        raise BadTable(f"expected at least one detector to finish, none did:{told}")
    labelled = [row for row in test if row.label is not None]
    common = [row for row in labelled if all(row.name in outcome.scores for outcome in finished)]
    labels = np.array([row.label == "abnormal" for row in common], dtype=bool)
    columns = {o.name: np.array([o.scores[row.name] for row in common], np.float64) for o in finished}
    trivial = _trivial(common, labels)
    ranked = standings(columns | trivial, labels, [row.group for row in common], trivial=trivial, seed=seed)
    return Comparison(tuple(outcomes), ranked, tuple(trivial), left_out=len(labelled) - len(common))


def _trivial(rows: Sequence[Row], labels: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return the trivial scores, each turned to the side on which it does better on these very scans.

    What is undefined for a scan stands in the middle of the others.
    """
    measured = measure_rows(rows)
    found = {}
    for name in TRIVIAL:
        values = measured.column(name)
        known = values[np.isfinite(values)]
        if not known.size:
            continue
        values = np.where(np.isfinite(values), values, np.median(known))
        found[f"trivial: {name.replace('_', ' ')}"] = values if auroc(values, labels) >= 0.5 else -values
    return found


def _leaderboard(
    comparison: Comparison, table: Collection, study: Study, split: str, command: str | None
) -> Leaderboard:
    outcomes = {outcome.name: outcome for outcome in comparison.outcomes}
    entries = []
    for row in comparison.standings.rows:
        outcome = outcomes.get(row.name)
        if outcome is None:
            entries.append(Entry(row, trivial=True))
        else:
            entries.append(Entry(row, False, dict(outcome.figures), outcome.costs, outcome.simulated))
    facts = {
        "scans learned from": len(table.select(split="train")),
        "scans for the threshold": len(table.select(split="threshold")),
        "normal scans judged": comparison.standings.normal,
        "abnormal scans judged": comparison.standings.abnormal,
        "groups among them": comparison.standings.groups,
        "left out, as some contestant could not judge them": comparison.left_out,
        "groups": "clusters of near-copies, found here" if study.clustered else "as the table names them",
        "split": f"{split} of {table.title}",
        "resamples": comparison.standings.resamples,
    }
    failures = tuple((outcome.name, outcome.error or "") for outcome in comparison.failed)
    return Leaderboard(
        entries=tuple(entries),
        standings=comparison.standings,
        best_baseline=comparison.best_baseline,
        failures=failures,
        facts=facts,
        leaks=study.leaks,
        notes=study.notes,
        command=command,
        notices=(RESEARCH_USE_ONLY, *((SYNTHETIC,) if study.synthetic else ())),
        agreements=_agreements(entries),
    )


def _agreements(entries: Sequence[Entry]) -> tuple[Agreement, ...]:
    """Return how the criterion without labels orders the detectors, against how the labels do."""
    detectors = [entry for entry in entries if not entry.trivial]
    truths: dict[str, list[float | None]] = {
        "image AUROC": [entry.standing.auroc for entry in detectors],
        "pixel AP": [entry.figures.get("pixel_average_precision") for entry in detectors],
    }
    simulated = {
        "AUROC": [entry.simulated.get("auroc") for entry in detectors],
        "pixel AP": [entry.simulated.get("precision") for entry in detectors],
    }
    found = (
        rank_agreement(criterion, truth, values, truths[truth])
        for criterion, values in simulated.items()
        for truth in truths
    )
    return tuple(agreement for agreement in found if agreement is not None)
