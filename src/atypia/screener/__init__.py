"""The Screener: preparation, detector and threshold; what is fitted, saved, loaded and served."""

from __future__ import annotations

from atypia.screener.fit_report import FitReport
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.judging import Judged
from atypia.screener.screener import Screener

__all__ = ["FitReport", "HealthyMap", "Judged", "Screener"]
