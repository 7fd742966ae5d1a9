"""What a fit used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitReport:
    """Counts of scans that a fit used, and the (name, error) of those that could not be read.

    `unplaced` says why slices of volumes are not compared by their position; None where they are, and for
    pictures.
    """

    train: int
    calibration: int
    unreadable: tuple[tuple[str, str], ...] = ()
    unplaced: str | None = None
