"""Which healthy scans an optimised Screener may be held to: those that the original has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atypia.errors import BadTable
from atypia.reading.collection import Collection
from atypia.reading.row import Row
from atypia.screener import Screener
from atypia.screener.learned_files import fingerprint

SAME = 1e-4


@dataclass(frozen=True)
class Healthy:
    """Rows of healthy scans; `known` says of each whether the Screener was fitted with its very file.

    `trusted` where a table says by its split that they were kept aside.
    """

    rows: tuple[Row, ...]
    known: tuple[bool, ...]
    trusted: bool


def healthy_for(screener: Screener, scans: Collection) -> Healthy:
    """Return the rows `threshold` of a table with splits, else all of them.

    Raises BadTable where an abnormal one is among them, or there are none.
    """
    rows = scans.select(split="threshold").rows if scans.has_splits else scans.rows
    if any(row.label == "abnormal" for row in rows):
        raise BadTable(
            f"{scans.source}: expected healthy scans alone, received some labelled abnormal. Give the folder "
            "of the healthy ones, or a table with splits, of which those of the split threshold are taken."
        )
    if not rows:
        raise BadTable(
            f"{scans.source}: expected healthy scans, or a table with rows whose split is threshold; "
            "received none."
        )
    learned = set(screener.learned_files_.tolist())
    known = tuple(bool(learned) and fingerprint(row) in learned for row in rows)
    return Healthy(tuple(rows), known, scans.has_splits)


def kept_aside(
    screener: Screener, healthy: Healthy, places: Sequence[int], scores: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which of the scans at these places, with these scores of the original, were not learned from.

    A file that the Screener was fitted with was either learned from or kept aside for the threshold, and
    only of those kept aside are the scores in the artefact: it counts where its score is one of these.
    Scores by position are stored in another unit, so such files then count only where a split says so.
    """
    known = np.array([healthy.known[place] for place in places], dtype=bool)
    if healthy.trusted:
        return np.ones(len(known), dtype=bool)
    assert screener.threshold_ is not None
    stored = screener.threshold_.calibration.scores
    if screener.position_scale_ is not None or not len(stored):
        return ~known
    near = np.abs(stored[None, :] - scores[:, None]).min(axis=1) <= SAME * max(float(stored.std()), 1e-12)
    return np.asarray(~known | near, dtype=bool)
