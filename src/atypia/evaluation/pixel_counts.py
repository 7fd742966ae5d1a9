"""Heat maps against masks, one scan after the other: all that the pixel figures need, in little memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.evaluation.intervals import Interval, share_interval
from atypia.evaluation.lesions import LesionCounts, LesionMetrics, LesionTable
from atypia.evaluation.pixel_groups import PixelGroups, PixelTable
from atypia.evaluation.pixel_histogram import PixelHistogram, checked
from atypia.evaluation.pixel_metrics import FIGURES, PixelMetrics, moved
from atypia.evaluation.resampling import GroupBootstrap

Floats = NDArray[np.float64]


class PixelCounts:
    """Takes heat maps with their masks as they stream.

    The figures come from fine bins of all pixels; their intervals from coarse bins by group (of 3 % of a
    score, at most 1024 of them), moved to the figure.
    """

    def __init__(self, threshold: float, usual: float = 0.0) -> None:
        self._threshold = threshold
        self._all = PixelHistogram()
        self._groups = PixelGroups(threshold)
        self._lesions = LesionCounts(threshold, usual) if threshold > usual else None
        self._scans: list[tuple[str, bool]] = []

    def add(self, group: str, heatmap: ArrayLike, truth: ArrayLike | None, *, abnormal: bool) -> None:
        """Count a heat map (H, W) and its mask (H, W), None for an empty one, of a scan of this group.

        Raises ValueError on a score that is not finite, or on unequal shapes.
        """
        values, regions = checked(heatmap, truth)
        self._all.count(values, regions)
        self._groups.add(group, values, regions)
        if self._lesions is not None:
            self._lesions.add(group, values, regions)
        self._scans.append((group, abnormal))

    def metrics(self, resamples: int) -> PixelMetrics | None:
        """Return the figures; None where no abnormal scan was counted."""
        masked = sum(abnormal for _, abnormal in self._scans)
        if not masked:
            return None
        groups = sorted({group for group, _ in self._scans})
        table = self._groups.table(groups)
        lesions = self._lesions.table(groups) if self._lesions else None
        best, best_threshold = self._all.best_dice()
        figures = {
            "auroc": self._all.auroc(),
            "average_precision": self._all.average_precision(),
            "aupro": self._all.aupro(),
            "dice": math.nan if math.isnan(self._threshold) else self._all.dice(self._threshold),
            "best_dice": best,
        }
        intervals = self._intervals(groups, table, lesions, figures, resamples)
        return PixelMetrics(
            **figures,
            best_threshold=best_threshold,
            threshold=self._threshold,
            masked_scans=masked,
            normal_scans=len(self._scans) - masked,
            abnormal_pixels=self._all.abnormal,
            normal_pixels=self._all.normal,
            lesions=None if lesions is None else LesionMetrics.of(lesions, intervals),
            intervals={name: intervals[name] for name in FIGURES if name in intervals},
        )

    def _intervals(
        self,
        groups: list[str],
        table: PixelTable,
        lesions: LesionTable | None,
        figures: dict[str, float],
        resamples: int,
    ) -> dict[str, Interval]:
        """Draw the groups anew; those with masks and those without are drawn apart."""
        if not resamples:
            return {}
        places = {group: place for place, group in enumerate(groups)}
        codes = np.array([places[group] for group, _ in self._scans], dtype=np.intp)
        drawn = GroupBootstrap(codes, np.array([abnormal for _, abnormal in self._scans]), resamples)

        def measure(weights: Floats) -> dict[str, Floats]:
            return {**table.figures(weights), **(lesions.figures(weights) if lesions else {})}

        sampled = drawn.sample(measure, by_group=True)
        coarse = table.figures(np.ones((1, len(groups))))
        found = {name: sampled.interval(name, needs="abnormal") for name in sampled.values}
        for name in set(found) - set(FIGURES):
            found[name] = _beyond_its_end(found[name], sampled.abnormal_groups)
        for name in FIGURES:
            found[name] = moved(found[name], figures[name] - float(coarse[name][0]))
        return found


def _beyond_its_end(interval: Interval, groups: int) -> Interval:
    """Return the interval; for a share of 0 or 1 in every resample, that of so many groups."""
    low, high = interval
    return share_interval(round(low * groups), groups) if low == high and low in (0.0, 1.0) else interval
