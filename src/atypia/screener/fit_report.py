"""What a fit used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitReport:
    """Counts of scans that a fit used, and the (name, error) of those that could not be read."""

    train: int
    calibration: int
    unreadable: tuple[tuple[str, str], ...] = ()
