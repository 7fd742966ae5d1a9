"""The decision: a threshold learned from healthy scans that the detector has not seen."""

from __future__ import annotations

from atypia.threshold.rules import FEWEST, RULES, check_rule
from atypia.threshold.threshold import Threshold

__all__ = ["FEWEST", "RULES", "Threshold", "check_rule"]
