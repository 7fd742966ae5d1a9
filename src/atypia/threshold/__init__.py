"""The decision: a threshold learned from healthy scans that the detector has not seen."""

from __future__ import annotations

from atypia.threshold.of_volumes import HIGHEST, volume_p_value, volume_score
from atypia.threshold.rules import FEWEST, RULES, check_rule
from atypia.threshold.threshold import Threshold

__all__ = ["FEWEST", "HIGHEST", "RULES", "Threshold", "check_rule", "volume_p_value", "volume_score"]
