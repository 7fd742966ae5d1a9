"""Several detectors beside each other: judged on labelled scans, or chosen among without labels."""

from atypia.comparison.choosing import CRITERIA, Chosen, choose
from atypia.comparison.comparison import Comparison, compare
from atypia.comparison.contestant import Contestant, Outcome

__all__ = ["CRITERIA", "Chosen", "Comparison", "Contestant", "Outcome", "choose", "compare"]
