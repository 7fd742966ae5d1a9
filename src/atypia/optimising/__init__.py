"""The same Screener faster, in 8-bit numbers or by another runtime; refused where it then differs."""

from __future__ import annotations

from atypia.optimising.agreement import LEAST, Agreement
from atypia.optimising.converting import PRECISIONS
from atypia.optimising.effect import Effect, effect_of
from atypia.optimising.healthy import Healthy, healthy_for
from atypia.optimising.optimising import Optimised, optimise

__all__ = [
    "LEAST",
    "PRECISIONS",
    "Agreement",
    "Effect",
    "Healthy",
    "Optimised",
    "effect_of",
    "healthy_for",
    "optimise",
]
