"""The bootstrap over groups: how much a figure would differ had other patients been drawn.

Whole groups are drawn with replacement, because slices of one patient, or copies of one image, are not
independent: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8; Field and
Welsh (2007), "Bootstrapping clustered data", Journal of the Royal Statistical Society B 69.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.evaluation.intervals import NOWHERE, Interval

Floats = NDArray[np.float64]
Figures = Mapping[str, Floats]

RESAMPLES = 2000
_BLOCK = 1_000_000  # weights held at once


@dataclass(frozen=True, eq=False)
class GroupBootstrap:
    """Draws groups with replacement; a scan weighs as often as its group was drawn.

    `codes` (N,) is the group of each scan, 0 to G - 1; `labels` (N,) is True where a scan is abnormal.
    Groups that hold only normal scans, only abnormal ones, and both are drawn apart, each sort as often as
    there are groups of it, so that no resample lacks a label. Same seed, groups and labels: same weights.

    >>> drawn = GroupBootstrap.of(["a", "a", "b", "c"], [False, False, False, True], resamples=5)
    >>> [weights.shape for weights in drawn.weights()]
    [(5, 4)]
    """

    codes: NDArray[np.intp]
    labels: NDArray[np.bool_]
    resamples: int = RESAMPLES
    seed: int = 0

    @classmethod
    def of(
        cls,
        groups: Sequence[str | None],
        labels: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> GroupBootstrap:
        """Take groups (N,) by name; a scan without one is its own, told apart by its `names` entry."""
        own = [str(place) for place in range(len(groups))] if names is None else names
        keys = [
            f"scan {name}" if group is None else f"group {group}"
            for group, name in zip(groups, own, strict=True)
        ]
        codes = np.unique(keys, return_inverse=True)[1] if keys else np.empty(0, np.intp)
        return cls(codes.astype(np.intp), np.asarray(labels, dtype=bool), resamples, seed)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    def holding(self, *, abnormal: bool) -> int:
        """Return how many groups hold scans of this label."""
        return len(np.unique(self.codes[self.labels == abnormal]))

    def group_weights(self) -> Iterator[Floats]:
        """Yield how often each group was drawn, (B, G) in blocks, `resamples` rows in all."""
        rng = np.random.default_rng(self.seed)
        sorts = [np.flatnonzero(self._sorts == sort) for sort in range(1, 4)]
        step = max(1, _BLOCK // max(len(self.codes), 1))
        for start in range(0, self.resamples, step):
            rows = min(step, self.resamples - start)
            counts = np.zeros((rows, self.groups))
            for members in sorts:
                counts[:, members] = _draw(rng, rows, len(members))
            yield counts

    def weights(self) -> Iterator[Floats]:
        """Yield how often each scan was drawn, (B, N) in blocks, `resamples` rows in all."""
        for counts in self.group_weights():
            yield counts[:, self.codes]

    def sample(self, measure: Callable[[Floats], Figures], *, by_group: bool = False) -> Sampled:
        """Measure every resample: `measure` takes weights (B, N) or (B, G) and gives figures (B,) by name."""
        parts = [measure(block) for block in (self.group_weights() if by_group else self.weights())]
        names = parts[0] if parts else ()
        values = {name: np.concatenate([part[name] for part in parts]) for name in names}
        return Sampled(values, self.holding(abnormal=True), self.holding(abnormal=False))

    @property
    def _sorts(self) -> NDArray[np.intp]:
        """What each group (G,) holds: 1 normal scans, 2 abnormal ones, 3 both."""
        sorts = np.zeros(self.groups, np.intp)
        sorts[self.codes[~self.labels]] |= 1
        sorts[self.codes[self.labels]] |= 2
        return sorts


@dataclass(frozen=True, eq=False)
class Sampled:
    """Figures over the resamples, (R,) by name, and how many groups hold abnormal and normal scans."""

    values: Figures = field(default_factory=dict)
    abnormal_groups: int = 0
    normal_groups: int = 0

    def interval(self, name: str, *, needs: str = "both") -> Interval:
        """Return the 95 % percentile interval of a figure; NaN where there is too little to draw from.

        `needs` says which scans the figure is of: `abnormal`, `normal`, `both`, or `any`. Of those there must
        be at least two groups, or every resample is the same scans again. Undefined resamples are left out.
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
        """
        if not self._enough(needs):
            return NOWHERE
        found = self.values[name]
        found = found[np.isfinite(found)]
        if not len(found):
            return NOWHERE
        low, high = np.quantile(found, [0.025, 0.975])
        return float(low), float(high)

    def degenerate(self) -> dict[str, int]:
        """Return in how many resamples a figure was undefined, for those where there are any."""
        counts = {name: int((~np.isfinite(values)).sum()) for name, values in self.values.items()}
        return {name: count for name, count in counts.items() if 0 < count < len(self.values[name])}

    def _enough(self, needs: str) -> bool:
        abnormal, normal = self.abnormal_groups >= 2, self.normal_groups >= 2
        return {
            "abnormal": abnormal,
            "normal": normal,
            "both": abnormal and normal,
            "any": (abnormal or normal) and 1 not in (self.abnormal_groups, self.normal_groups),
        }[needs]


def _draw(rng: np.random.Generator, rows: int, count: int) -> Floats:
    """Return how often each of `count` was drawn in `count` draws with replacement, (rows, count)."""
    drawn = rng.integers(0, count, (rows, count)) if count else np.empty((rows, 0), np.intp)
    places = drawn + count * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
