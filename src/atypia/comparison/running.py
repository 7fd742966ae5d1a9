"""Each contestant runs in a process of its own; what is finished is kept, and not run again."""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.comparison.contestant import Contestant, Outcome
from atypia.errors import AtypiaError
from atypia.reading.collection import Collection, Row
from atypia.screener import Screener
from atypia.study import Study, run_study

TIMED = 128
"""Scans that the speed is measured on, at most."""


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


def outcome_of(task: Task) -> Outcome:
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
        outcome = Outcome(task.contestant.name, error=_without_folders(str(error)))
        print(f"{outcome.name}: {error}", file=sys.stderr, flush=True)
    values = {"asked": task.asked(), "outcome": asdict(outcome)}
    write_whole(task.out / "outcome.json", json.dumps(values, indent=1, allow_nan=False) + "\n")


def _without_folders(message: str) -> str:
    """Return a message for the page: with the names of files, without the folders that lead to them.

    Most messages begin with the path that they are about; a path further on ends where a space does.
    """
    place, colon, rest = message.partition(": ")
    if colon and "/" in place and (place.startswith("/") or " " not in place):
        message = f"{Path(place).name}: {rest}"
    return re.sub(r"(?<![\w.:/<])/(?:[^\s/:]+/)+(?=[^\s/])", "", message)


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


def _scores(findings: Path) -> dict[str, float]:
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
