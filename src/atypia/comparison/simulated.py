"""The criterion that asks for no label: how well a Screener finds lesions simulated in healthy scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atypia.detectors.member_trial import MOST_SCANS, Trial, trial_of
from atypia.reading.row import Row
from atypia.scratch import Scratch
from atypia.screener import Screener
from atypia.screener.prepared_folder import prepare_to_folder

FEWEST = 5
"""Of fewer healthy scans nothing is told."""


def simulated_trial(screener: Screener, rows: Sequence[Row], seed: int) -> Trial | None:
    """Return the trial of a fitted Screener on at most 96 of these healthy scans; None below five.

    It must have learned from none of them.
    """
    if len(rows) < FEWEST:
        return None
    chosen = np.sort(np.random.default_rng((seed, 31)).permutation(len(rows))[:MOST_SCANS])
    with Scratch() as folder:
        prepared, _ = prepare_to_folder(
            [rows[place] for place in chosen],
            screener.preparation,
            Path(folder),
            label="simulating lesions",
            kind=np.float32,
        )
        return trial_of(screener.detector, prepared, seed) if len(prepared) >= FEWEST else None


def healthy(rows: Sequence[Row]) -> list[Row]:
    """Return those that nothing calls abnormal."""
    return [row for row in rows if row.label != "abnormal"]
