"""The same judging and fitting on many machines, by Ray; nothing here imports Ray until it is asked for."""

from __future__ import annotations

from atypia.cluster.scoring import PartsTally, score_to_parts
from atypia.cluster.settings import Workers

__all__ = ["PartsTally", "Workers", "score_to_parts"]
