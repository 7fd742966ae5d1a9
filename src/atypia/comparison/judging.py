"""One contestant of a comparison: fitted on the healthy parts of a table, and judged on labelled scans."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atypia.comparison.contestant import Contestant, Outcome
from atypia.comparison.fitting import ARTEFACT, asked_of, digest, fitted, peak_mib, saved, speed
from atypia.comparison.simulated import FEWEST, healthy, simulated_trial
from atypia.errors import AtypiaError
from atypia.reading.collection import Collection
from atypia.reading.row import Row
from atypia.screener import Screener
from atypia.study import Study, run_study


@dataclass(frozen=True)
class Judging:
    """One contestant with the scans, and where its outcome goes."""

    contestant: Contestant
    table: Collection
    study: Study
    out: Path
    seed: int

    def asked(self) -> dict[str, Any]:
        """Return all that the outcome depends on, as JSON values."""
        return {
            **asked_of(self.contestant, self.seed),
            "table": digest((*self.table, *self.study.scans)),
            "tested": len(self.study.scans),
            "notes": list(self.study.notes),
        }

    def finish(self, earlier: Outcome | None) -> Outcome:
        """Fit, save, judge and try it; of an earlier outcome that lacks the trial only that is made."""
        if earlier is not None and (self.out / ARTEFACT).is_file():
            return replace(earlier, **self._tried(Screener.load(self.out / ARTEFACT)))
        name = self.contestant.name
        screener, seconds = fitted(self.contestant, self.table, None, self.out, self.seed)
        size = saved(screener, self.out)
        evaluation = run_study(screener, self.study, self.out, title=f"Evaluation: {name}")
        return Outcome(
            name,
            scores=_scores(self.out / "findings.csv"),
            figures=_figures(evaluation.to_dict()),
            fit_seconds=seconds,
            images_per_second=speed(screener, self.study.scans.rows),
            peak_mib=peak_mib(),
            artefact_mib=size,
            **self._tried(screener),
        )

    def lacks(self, kept: Outcome) -> bool:
        """Tell whether a trial can be made and was not."""
        saved = (self.out / ARTEFACT).is_file()
        return kept.simulated_auroc is None and saved and len(self._aside()) >= FEWEST

    def _aside(self) -> list[Row]:
        """Return the healthy rows for the threshold, which are never learned from."""
        return healthy(self.table.select(split="threshold").rows)

    def _tried(self, screener: Screener) -> dict[str, Any]:
        try:
            trial = simulated_trial(screener, self._aside(), self.seed)
        except AtypiaError as error:  # what was measured before stands without it
            print(f"{self.contestant.name}: no simulated lesions: {error}", file=sys.stderr, flush=True)
            trial = None
        if trial is None:
            return {}
        return {"simulated_auroc": trial.auroc, "simulated_precision": trial.precision}


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
