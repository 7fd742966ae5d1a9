"""A detector and its settings chosen without labels: by lesions simulated in healthy scans kept aside."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atypia.comparison.contestant import Contestant, Outcome
from atypia.comparison.fitting import ARTEFACT
from atypia.comparison.running import outcome_of
from atypia.comparison.trying import Parts, Trying, three_parts
from atypia.detectors.member_trial import MOST_SCANS
from atypia.errors import BadOption, BadTable
from atypia.notice import RESEARCH_USE_ONLY, SYNTHETIC
from atypia.reading.collection import Collection
from atypia.report.choice import Candidate, ChoicePage, write_choice
from atypia.report.model_card import CHOICE
from atypia.screener import Screener
from atypia.study import is_phantom

CRITERIA = {"auroc": (1.0, 0.0), "precision": (0.0, 1.0), "mean": (0.5, 0.5)}
"""What the AUROC by image and the average precision by pixel of simulated lesions weigh in each."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The outcomes, the best first and what failed last, with the page that was written of them."""

    outcomes: tuple[Outcome, ...]
    screener: Screener
    page: ChoicePage
    parts: Parts

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The candidates that gave nothing."""
        return tuple(outcome for outcome in self.outcomes if outcome.error is not None)


def choose(
    scans: Collection,
    candidates: Sequence[Contestant],
    work: Path,
    *,
    by: str,
    aside: float = 0.2,
    seed: int = 0,
    command: str | None = None,
) -> Chosen:
    """Fit each candidate on some of the healthy scans, try it on others, and return the best, calibrated.

    Three parts share no group (see `three_parts`): the trial puts simulated lesions into the second, and the
    criterion `by`, a name out of CRITERIA, is of those. The threshold comes from the third, which took no
    part in the choice, so that having chosen does not make it too low. The winner stays as it was fitted:
    what it was chosen for is what is handed on.
    `work` gets a folder for each candidate, `choice.json` and `choice.html`. What is finished is not run
    again. Raises BadOption for another criterion, BadTable where no candidate finished, NotEnoughScans.
    """
    if by not in CRITERIA:
        raise BadOption(f"by: expected one of {', '.join(CRITERIA)}; received {by!r}.")
    parts = three_parts(scans, aside, seed)
    outcomes = []
    for number, candidate in enumerate(candidates, 1):
        print(f"{number} of {len(candidates)}: {candidate.name}", file=sys.stderr, flush=True)
        outcomes.append(outcome_of(Trying(candidate, parts, work / candidate.name, seed)))
    ranked = _ranked(outcomes, by)
    if ranked[0].error is not None:
        told = "".join(f"\n  {outcome.name}: {outcome.error}" for outcome in ranked)
        raise BadTable(f"expected at least one detector to finish, none did:{told}")
    screener = Screener.load(work / ranked[0].name / ARTEFACT)
    page = _page(ranked, parts, by, command)
    screener.records[CHOICE] = {"by": page.criterion, "candidates": len(page.candidates)}
    write_choice(page, work)
    return Chosen(ranked, screener, page, parts)


def _ranked(outcomes: Sequence[Outcome], by: str) -> tuple[Outcome, ...]:
    """Return the outcomes, the best first; of equal ones the better by the other figure, then the faster."""

    def key(outcome: Outcome) -> tuple[float, ...]:
        auroc, precision = outcome.simulated_auroc, outcome.simulated_precision
        if outcome.error is not None or auroc is None or precision is None:
            return (math.inf,)
        return -_value(by, auroc, precision), -auroc - precision, outcome.fit_seconds or 0

    return tuple(sorted(outcomes, key=key))


def _value(by: str, auroc: float, precision: float) -> float:
    first, second = CRITERIA[by]
    return first * auroc + second * precision


def _page(ranked: Sequence[Outcome], parts: Parts, by: str, command: str | None) -> ChoicePage:
    found = []
    for outcome in ranked:
        auroc, precision = outcome.simulated_auroc, outcome.simulated_precision
        if outcome.error is None and auroc is not None and precision is not None:
            value = _value(by, auroc, precision)
            found.append(Candidate(outcome.name, value, auroc, precision, outcome.costs))
    facts = {
        "healthy scans learned from": len(parts.learned),
        "healthy scans to choose by": len(parts.tried),
        "healthy scans for the threshold": len(parts.threshold),
        "listed in": parts.learned.title,
    }
    return ChoicePage(
        candidates=tuple(found),
        by=by,
        tried=min(len(parts.tried), MOST_SCANS),
        failures=tuple((outcome.name, outcome.error) for outcome in ranked if outcome.error is not None),
        facts=facts,
        command=command,
        notices=(RESEARCH_USE_ONLY, *((SYNTHETIC,) if is_phantom(parts.learned) else ())),
    )
