"""What an optimisation changes on labelled scans."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from atypia.errors import BadTable
from atypia.evaluation.intervals import Interval
from atypia.evaluation.leaks import demand_no_leak, learned_note
from atypia.evaluation.standings import standings
from atypia.reading.collection import Collection
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screener.learned_files import count_learned

BEFORE, AFTER = "original", "optimised"


@dataclass(frozen=True)
class Effect:
    """The AUROC of the original and of the optimised Screener on the same labelled scans.

    `change` is the second less the first, with its 95 % interval and two-sided p-value by bootstrap over
    groups, the same groups drawn for both. `verdicts_changed` counts the scans that only one of them flags.
    """

    normal: int
    abnormal: int
    groups: int
    before: float
    after: float
    change: float
    interval: Interval
    p_value: float
    verdicts_changed: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "interval": list(self.interval)}


def effect_of(before: Screener, after: Screener, scans: Collection, *, seed: int = 0) -> Effect:
    """Judge labelled scans by both; those that are unlike the ones learned from as well.

    Raises BadTable without labels or where they were learned from, BadOption with too few of a label.
    """
    labelled = tuple(row for row in scans if row.label is not None)
    if not labelled:
        raise BadTable(f"{scans.source}: expected scans with a label, received none.")
    note = learned_note(count_learned(labelled, before.learned_files_), len(labelled))
    demand_no_leak(scans.source, [] if note is None else [note], allow=False)
    rows = Collection(labelled, scans.source)
    found = [_judged(screener, rows) for screener in (before, after)]
    pairs = [
        (row, one, other)
        for row, one, other in zip(labelled, *found, strict=True)
        if one.error is None and other.error is None
    ]
    if not pairs:
        raise BadTable(f"{scans.source}: none of the labelled scans could be judged.")
    scores = {
        BEFORE: np.array([one.score for _, one, _ in pairs]),
        AFTER: np.array([other.score for _, _, other in pairs]),
    }
    labels = [row.label == "abnormal" for row, _, _ in pairs]
    table = standings(scores, labels, [row.group for row, _, _ in pairs], seed=seed)
    pair, area = table.pairing(AFTER, BEFORE), {row.name: row.auroc for row in table.rows}
    low, high = pair.interval
    return Effect(
        table.normal,
        table.abnormal,
        table.groups,
        area[BEFORE],
        area[AFTER],
        area[AFTER] - area[BEFORE],
        (low, high) if pair.first == AFTER else (-high, -low),
        pair.p_value,
        sum(one.flagged != other.flagged for _, one, other in pairs),
    )


def _judged(screener: Screener, rows: Collection) -> list[Finding]:
    from atypia.progress import progress

    found = screener.score(rows, heatmaps=False, judge_all=True)
    return list(progress(found, total=len(rows), label="judging labelled scans"))
