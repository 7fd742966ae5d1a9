"""Whether a scan is fit to be judged: taken like those that a Screener learned from, and no CT among MRI."""

from __future__ import annotations

from atypia.fitness.fitness import Fitness, Verdict

__all__ = ["Fitness", "Verdict"]
