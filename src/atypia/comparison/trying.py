"""One candidate of a choice without labels: fitted on some healthy scans, tried on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atypia.comparison.contestant import Contestant, Outcome
from atypia.comparison.fitting import ARTEFACT, asked_of, digest, fitted, peak_mib, saved, speed
from atypia.comparison.simulated import FEWEST, healthy, simulated_trial
from atypia.detectors.subset import kept_aside
from atypia.errors import BadOption, NotEnoughScans
from atypia.reading.collection import Collection
from atypia.reading.row import Row
from atypia.screener.learned_files import fingerprints
from atypia.screener.parting import part_scans


@dataclass(frozen=True)
class Parts:
    """Healthy scans in three parts that share no group: to learn from, to choose by, for the threshold."""

    learned: Collection
    tried: Collection
    threshold: Collection


def three_parts(scans: Collection, aside: float, seed: int) -> Parts:
    """Part healthy scans; abnormal ones are left out.

    The part for the threshold is the one that `Screener.fit` takes: the rows `threshold` of a table with
    splits, else a fifth. Of those it would learn from, a share `aside` is kept for the choice, whole groups
    together.
    Raises BadOption for a share outside (0, 1), NotEnoughScans where too few are left to choose by.
    """
    if not 0 < aside < 1:
        raise BadOption(f"aside: expected a number between 0 and 1, received {aside!r}.")
    known = Collection(tuple(healthy(scans.rows)), scans.source)
    train, threshold = (
        [item for item in part if isinstance(item, Row)] for part in part_scans(known, None, seed)
    )
    learned, tried = kept_aside(len(train), tuple(row.group for row in train), aside, seed)
    if len(tried) < FEWEST:
        raise NotEnoughScans(
            f"{scans.source}: expected at least {FEWEST} healthy scans to choose by, received {len(tried)} "
            f"of {len(train)}. Give more, or a larger share with --aside."
        )

    def some(rows: Sequence[Row]) -> Collection:
        return Collection(tuple(rows), scans.source)

    return Parts(some([train[i] for i in learned]), some([train[i] for i in tried]), some(threshold))


@dataclass(frozen=True)
class Trying:
    """One candidate with the parts, and where its Screener and its outcome go."""

    contestant: Contestant
    parts: Parts
    out: Path
    seed: int

    def asked(self) -> dict[str, Any]:
        """Return all that the outcome depends on, as JSON values."""
        parts = vars(self.parts).items()
        return {
            **asked_of(self.contestant, self.seed),
            "parts": {name: digest(part) for name, part in parts},
        }

    def finish(self, earlier: Outcome | None) -> Outcome:  # noqa: ARG002
        """Fit, try and save it; raise NotEnoughScans where too few scans to choose by can be read."""
        parts, name = self.parts, self.contestant.name
        screener, seconds = fitted(self.contestant, parts.learned, parts.threshold, self.out, self.seed)
        trial = simulated_trial(screener, parts.tried.rows, self.seed)
        if trial is None:
            raise NotEnoughScans(f"expected at least {FEWEST} scans to choose by that can be read.")
        # What chose it counts as learned from, so that a test on it is refused.
        known = fingerprints(parts.tried)
        screener.learned_files_ = np.union1d(screener.learned_files_, known)
        return Outcome(
            name,
            fit_seconds=seconds,
            artefact_mib=saved(screener, self.out),
            images_per_second=speed(screener, parts.tried.rows),
            peak_mib=peak_mib(),
            simulated_auroc=trial.auroc,
            simulated_precision=trial.precision,
        )

    def lacks(self, kept: Outcome) -> bool:  # noqa: ARG002
        """Tell whether its Screener is gone."""
        return not (self.out / ARTEFACT).is_file()
