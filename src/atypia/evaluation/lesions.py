"""Lesion by lesion: how many are found for how many places wrongly pointed at (FROC)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from atypia.evaluation.intervals import Interval
from atypia.evaluation.mask_regions import TOUCHING, MaskRegions
from atypia.evaluation.weighted import share

Floats = NDArray[np.float64]

OVERLAP = 0.1
"""Intersection over union from which a place found counts as the lesion."""

RATES = (0.125, 0.25, 0.5, 1.0, 2.0)
"""False places per slice at which the sensitivity is read."""

_STEPS = np.arange(-16, 25) / 8  # octaves


def rate_name(rate: float) -> str:
    """Return the name of the figure "share of the lesions found at this many false places per slice".

    >>> rate_name(0.5)
    'lesions_at_0.5'
    """
    return f"lesions_at_{rate:g}"


@dataclass
class LesionCounts:
    """Counts lesions found and false places of each group at 41 thresholds, as slices stream.

    Of the step from `usual`, what pixels of healthy scans usually score, up to their calibrated `threshold`,
    the thresholds are a quarter to eight times, in eighths of an octave. At each, the connected places of
    the map (corners touch) that reach it are set beside the lesions, the connected regions of the mask: a
    lesion is found where some place has an intersection over union with it of at least 0.1, and a place that
    has that with no lesion is false. That mark is usual for lesions, where coarse localisation is what
    matters: Baumgartner, Jäger, Isensee and Maier-Hein (2021), "nnDetection", MICCAI; Jaeger et al. (2020),
    "Retina U-Net", Proceedings of Machine Learning Research 116.
    """

    threshold: float
    usual: float = 0.0
    _groups: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def thresholds(self) -> Floats:
        """The scores from which pixels count as found, (41,) rising."""
        return np.asarray(self.usual + (self.threshold - self.usual) * 2.0**_STEPS, dtype=np.float64)

    def add(self, group: str, heatmap: NDArray[np.float32], regions: MaskRegions) -> None:
        """Count one map (H, W)."""
        counts = self._groups.setdefault(group, np.zeros((2, len(_STEPS) + 1), np.int64))
        counts[:, -1] += regions.count, 1
        highest = float(heatmap.max())
        for place, threshold in enumerate(self.thresholds):
            if highest < threshold:
                break
            counts[:, place] += _found(heatmap >= threshold, regions)

    def table(self, groups: list[str]) -> LesionTable:
        """Return the counts of these groups, in this order; those without any count are 0."""
        none = np.zeros((2, len(_STEPS) + 1), np.int64)
        counts = np.stack([self._groups.get(group, none) for group in groups]).astype(np.float64)
        return LesionTable(
            self.thresholds, counts[:, 0, :-1], counts[:, 1, :-1], counts[:, 0, -1], counts[:, 1, -1]
        )


@dataclass(frozen=True, eq=False)
class LesionTable:
    """Lesions found and false places at each threshold, (G, T); lesions and slices in all, (G,)."""

    thresholds: Floats
    found: Floats
    false: Floats
    lesions: Floats
    slices: Floats

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return the share of lesions found at each of RATES, (B,), from the weights of the groups (B, G).

        It is the best of the thresholds at which the false places per slice are no more than the rate; 0
        where there is none.
        """
        lesions, slices = weights @ self.lesions, weights @ self.slices
        found = share(weights @ self.found, np.broadcast_to(lesions[:, None], (len(weights), len(_STEPS))))
        false = (weights @ self.false) / slices[:, None]
        figures = {}
        for rate in RATES:
            best = np.where(false <= rate + 1e-9, found, 0.0).max(axis=1)
            figures[rate_name(rate)] = np.where(lesions > 0, best, np.nan)
        return figures

    def curve(self) -> tuple[Floats, Floats]:
        """Return the false places per slice and the share of lesions found at each threshold, (T,) each."""
        return self.false.sum(axis=0) / self.slices.sum(), self.found.sum(axis=0) / max(self.lesions.sum(), 1)


@dataclass(frozen=True)
class LesionMetrics:
    """Lesion-wise figures; `at` is the share of lesions found at each of RATES, `intervals` are its 95 %.

    `thresholds`, `false_per_slice` and `found` are the curve, (41,) each. The thresholds were set from
    healthy scans; which of them gives a rate was read off these very scans.
    """

    lesions: int
    slices: int
    thresholds: tuple[float, ...]
    false_per_slice: tuple[float, ...]
    found: tuple[float, ...]
    at: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    @classmethod
    def of(cls, table: LesionTable, intervals: Mapping[str, Interval]) -> LesionMetrics:
        """Read the figures off the counts of all groups."""
        false, found = table.curve()
        once = table.figures(np.ones((1, len(table.lesions))))
        return cls(
            int(table.lesions.sum()),
            int(table.slices.sum()),
            tuple(table.thresholds.tolist()),
            tuple(false.tolist()),
            tuple(found.tolist()),
            {name: float(values[0]) for name, values in once.items()},
            intervals,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the block `pixel.lesions` of `metrics.json`, NaN still in it."""
        nowhere = [math.nan, math.nan]
        return {
            **self.at,
            "intervals": {name: list(self.intervals.get(name, nowhere)) for name in self.at},
            "overlap": OVERLAP,
            "curve": {
                "thresholds": self.thresholds,
                "false_per_slice": self.false_per_slice,
                "found": self.found,
            },
            "counts": {"lesions": self.lesions, "slices": self.slices},
        }


def _found(above: NDArray[np.bool_], regions: MaskRegions) -> tuple[int, int]:
    """Return how many lesions are found, and how many places are false."""
    places, count = label(above, TOUCHING)
    if not regions.count:
        return 0, int(count)
    areas = np.bincount(places.ravel(), minlength=count + 1)[1:]
    inside = regions.mask & above
    pairs = (places[inside] - 1) * regions.count + regions.parts[inside] - 1
    both, shared = np.unique(pairs, return_counts=True)
    place, lesion = both // regions.count, both % regions.count
    hit = shared >= OVERLAP * (areas[place] + regions.sizes[lesion] - shared)
    return len(np.unique(lesion[hit])), int(count) - len(np.unique(place[hit]))
