"""Several detectors on the same split: each fitted, measured, tested against the others and the trivial."""

from atypia.comparison.comparison import Comparison, compare
from atypia.comparison.contestant import Contestant, Outcome

__all__ = ["Comparison", "Contestant", "Outcome", "compare"]
