"""Whether scans that shall be learned from are of one kind."""

from __future__ import annotations

from collections import Counter

import numpy as np

from atypia.reading.collection import Collection
from atypia.reading.row import Row
from atypia.recognition.describing import Described, describe

# So many scans are looked at; a kind that fewer of them are of, by number or share, is chance.
_LOOKED_AT = 64
_FEWEST, _SHARE = 3, 0.08
# From this confidence on T1 is told from T2, FLAIR from neither, and so only a large share is believed.
_CERTAIN, _GUESSED_SHARE = 0.95, 0.25
_TOLD = ("T1", "T2")


def mixed_note(collection: Collection, seed: int = 0) -> str | None:
    """Return one line if the healthy scans seem to be of several planes or sequences, else None.

    What the table says counts first; where it is silent some scans, drawn by the seed, are recognised.
    """
    rows = [row for row in collection if row.label != "abnormal" and row.split in (None, "train")]
    order = np.random.default_rng(seed).permutation(len(rows))[:_LOOKED_AT]
    chosen = [rows[place] for place in sorted(order.tolist())]
    known = all(row.plane and row.sequence for row in chosen)
    described = [Described(row) for row in chosen] if known else describe(chosen)
    told = all(row.sequence for row in chosen)
    parts = (
        ("planes", _planes(described), _SHARE),
        ("sequences", _sequences(described), _SHARE if told else _GUESSED_SHARE),
    )
    found = [
        f"{what} {', '.join(f'{name} ({count / len(kinds):.0%})' for name, count in common)}"
        for what, kinds, share in parts
        if len(common := _common(kinds, share)) > 1
    ]
    if not found:
        return None
    return (
        f"The healthy scans seem to mix {' and '.join(found)}, of {len(chosen)} looked at: a scan is told "
        "from healthy ones best among its own kind. `atypia describe` writes a table that names the planes."
    )


def _common(kinds: list[str], share: float) -> list[tuple[str, int]]:
    least = max(_FEWEST, share * len(kinds))
    return [(name, count) for name, count in Counter(kinds).most_common() if count >= least]


def _planes(described: list[Described]) -> list[str]:
    # A slice without a mid-line is not believed to be sagittal here: some axial ones have none either.
    found = [one.row.plane or one.named.plane for one in described if one.row.plane or not _guessed(one)]
    return [plane for plane in found if plane]


def _guessed(one: Described) -> bool:
    return one.recognised is not None and one.recognised.plane == "sagittal"


def _sequences(described: list[Described]) -> list[str]:
    return [sequence for one in described if (sequence := _sequence(one.row, one))]


def _sequence(row: Row, one: Described) -> str | None:
    if row.sequence is not None or one.recognised is None:
        return row.sequence
    found = one.recognised
    return found.sequence if found.sequence in _TOLD and found.sequence_confidence >= _CERTAIN else None
