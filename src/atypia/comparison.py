"""Several detectors on the same split: each fitted, measured, tested against the others and the trivial."""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import atomic
from atypia.errors import AtypiaError, BadTable
from atypia.evaluation.leaks import demand_no_leak, leaks_of
from atypia.evaluation.metrics import auroc
from atypia.evaluation.standings import Standings, standings
from atypia.notice import RESEARCH_USE_ONLY, SYNTHETIC
from atypia.reading.collection import Collection, Row
from atypia.report.leaderboard import Entry, Leaderboard, write_leaderboard
from atypia.scalars import TRIVIAL, measure_rows
from atypia.screener import Screener
from atypia.study import Study, run_study, study_of, with_groups

SCHEMA = 1
TIMED = 128
"""Scans that the speed is measured on, at most."""

Scores = dict[str, float]


@dataclass(frozen=True)
class Contestant:
    """A Screener to be fitted: `build` makes it, in another process; `settings` say what it depends on."""

    name: str
    build: Callable[[], Screener]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one contestant: the score of each scan by name, and what it cost; or why nothing came.

    `fit_seconds` is of the call that finished it; `peak_mib` is the largest memory of its process, fit and
    scoring together; `images_per_second` is from file to verdict, without heat maps.
    """

    name: str
    error: str | None = None
    scores: Scores = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    fit_seconds: float | None = None
    images_per_second: float | None = None
    peak_mib: float | None = None
    artefact_mib: float | None = None


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
    table, ungrouped = with_groups(table)
    leaks = tuple(leaks_of(table, split))
    demand_no_leak(table.source, leaks, allow=allow_leak)
    study = study_of(table.select(split=split), *leaks, *ungrouped)
    study = replace(study, clustered=bool(ungrouped), allow_leak=allow_leak)
    outcomes = []
    for number, contestant in enumerate(contestants, 1):
        print(f"{number} of {len(contestants)}: {contestant.name}", file=sys.stderr, flush=True)
        outcomes.append(_outcome(Task(contestant, table, study, out / contestant.name, seed)))
    comparison = _compared(outcomes, study.scans, seed)
    write_leaderboard(_leaderboard(comparison, table, study, split, command), out)
    return comparison


@dataclass(frozen=True)
class Task:
    """One contestant with the scans, and where its outcome goes."""

    contestant: Contestant
    table: Collection
    study: Study
    out: Path
    seed: int

    def asked(self) -> dict[str, Any]:
        """Return all that the outcome depends on, as JSON values."""
        rows = (*self.table, *self.study.scans)
        lines = "\n".join(sorted(f"{r.name}\t{r.label}\t{r.split}\t{r.group}\t{r.mask}" for r in rows))
        return {
            "settings": json.loads(json.dumps(dict(self.contestant.settings), default=str)),
            "seed": self.seed,
            "table": hashlib.sha256(lines.encode("utf-8", "backslashreplace")).hexdigest(),
            "tested": len(self.study.scans),
            "notes": list(self.study.notes),
            "atypia": version("atypia"),
        }


def _tested(table: Collection, split: str) -> None:
    test = table.select(split=split)
    for part, label in ((table.select(split="train"), "normal"), (test, "normal"), (test, "abnormal")):
        if not len(part.select(label=label)):
            where = split if part is test else "train"
            raise BadTable(
                f"{table.source}: expected {label} rows whose split is {where}, received none. "
                "Make a table with 'atypia split'."
            )


def _outcome(task: Task) -> Outcome:
    """Return what an earlier call found of this very task, else run it in a process of its own."""
    done, asked = task.out / "outcome.json", task.asked()
    kept = _kept(done, asked)
    if kept and kept.error is None:  # what failed is tried again
        return kept
    done.unlink(missing_ok=True)
    code = _in_own_process(task)
    return _kept(done, asked) or Outcome(task.contestant.name, error=_death(code))


def _in_own_process(task: Task) -> int | None:
    """Run a task where its memory is its own and its death costs nothing else; return the exit code."""
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(task,))
    process.start()
    try:
        process.join()
    except BaseException:
        process.terminate()
        process.join()
        raise
    return process.exitcode


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " It was perhaps out of memory." if code == -9 else ""
        return f"Its process was ended by signal {-code}.{hint} Run the same command again to go on."
    return f"Its process ended with exit code {code}; what it printed says why. Run the same command again."


def _kept(done: Path, asked: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome in this file, where it is one and answers what is asked."""
    try:
        kept = json.loads(done.read_text(encoding="utf-8"))
        return Outcome(**kept["outcome"]) if kept["asked"] == asked else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _run(task: Task) -> None:
    """Fit, judge and keep the outcome; in a process of its own."""
    try:
        outcome = _finished(task)
    except KeyboardInterrupt:
        sys.exit(130)
    except AtypiaError as error:
        outcome = Outcome(task.contestant.name, error=str(error))
        print(f"{outcome.name}: {error}", file=sys.stderr, flush=True)
    values = {"asked": task.asked(), "outcome": asdict(outcome)}
    with atomic(task.out / "outcome.json") as temporary:
        temporary.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finished(task: Task) -> Outcome:
    screener, name = task.contestant.build(), task.contestant.name
    started = time.perf_counter()
    screener.fit(task.table, seed=task.seed, work=task.out / "work", resume=True)
    fit_seconds = time.perf_counter() - started
    artefact = task.out / "screener.atypia"
    screener.save(artefact)
    shutil.rmtree(task.out / "work", ignore_errors=True)
    evaluation = run_study(screener, task.study, task.out, title=f"Evaluation: {name}")
    return Outcome(
        name,
        scores=_scores(task.out / "findings.csv"),
        figures=_figures(evaluation.to_dict()),
        fit_seconds=round(fit_seconds, 1),
        images_per_second=round(_speed(screener, task.study.scans.rows[:TIMED]), 1),
        peak_mib=_peak_mib(),
        artefact_mib=round(artefact.stat().st_size / 2**20, 1),
    )


def _scores(findings: Path) -> Scores:
    """Return the scores of the scans that were judged, by name."""
    with findings.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: float(row["score"]) for row in rows if row["verdict"] in ("normal", "abnormal")}


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures at the contestant's own threshold, and those of its map."""
    image, pixel = metrics["image"], metrics["pixel"] or {}
    own = {name: image[name] for name in ("accuracy", "sensitivity", "specificity")}
    return own | {f"pixel_{name}": pixel.get(name) for name in ("auroc", "average_precision", "best_dice")}


def _speed(screener: Screener, rows: Sequence[Row]) -> float:
    """Return scans per second from file to verdict, after a first batch has warmed everything up."""
    list(screener.score(rows[:16], heatmaps=False))
    started = time.perf_counter()
    judged = sum(1 for _ in screener.score(rows, heatmaps=False))
    return judged / (time.perf_counter() - started)


def _peak_mib() -> float | None:
    """Return the largest memory that this process has held, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def _compared(outcomes: Sequence[Outcome], test: Collection, seed: int) -> Comparison:
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
        cost = {} if outcome is None else _costs(outcome)
        entries.append(Entry(row, outcome is None, dict(outcome.figures) if outcome else {}, cost))
    facts = {
        "scans learned from": len(table.select(split="train")),
        "scans for the threshold": len(table.select(split="threshold")),
        "normal scans judged": comparison.standings.normal,
        "abnormal scans judged": comparison.standings.abnormal,
        "groups among them": comparison.standings.groups,
        "left out, as some contestant could not judge them": comparison.left_out,
        "groups": "clusters of near-copies, found here" if study.clustered else "as the table names them",
        "split": f"{split} of {Path(table.source).name}",
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
    )


def _costs(outcome: Outcome) -> dict[str, float | None]:
    return {
        "fit_seconds": outcome.fit_seconds,
        "images_per_second": outcome.images_per_second,
        "peak_mib": outcome.peak_mib,
        "artefact_mib": outcome.artefact_mib,
    }
