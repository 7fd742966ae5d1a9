"""Judging many scans into a folder, and the kinds of results that are written there."""

from __future__ import annotations

from atypia.screening.making import maker_of
from atypia.screening.scoring import Tally, score_to_folder

__all__ = ["Tally", "maker_of", "score_to_folder"]
