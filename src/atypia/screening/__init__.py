"""Judging many scans into a folder, and the kinds of results that are written there."""

from __future__ import annotations

from atypia.screening.job import Keeping, WatchedFile
from atypia.screening.making import maker_of
from atypia.screening.scoring import score_to_folder
from atypia.screening.tally import Tally

__all__ = ["Keeping", "Tally", "WatchedFile", "maker_of", "score_to_folder"]
