"""How healthy scores change along the head: their location and scale at each position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import CorruptArtefact

KNOTS = 41
BANDWIDTH = 0.06

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PositionProfile:
    """Location and scale of healthy scores at 41 positions from 0 to 1, both float64 (41,); lines between.

    Location is the mean and scale the standard deviation of the scores near a position: by a Gaussian kernel
    of standard deviation 0.06 of the head, each group counting once, and with one group's weight for the
    mean and the variance of all (Nadaraya, "On estimating regression", 1964, shrunk to the whole).
    """

    location: Floats
    scale: Floats

    @classmethod
    def learn(cls, scores: ArrayLike, positions: ArrayLike, groups: Sequence[str]) -> tuple[Self, Floats]:
        """Learn from scores (N,) at positions (N,) in [0, 1]; also return these scores, standardised (N,).

        The scores of each group are standardised by a profile of the other groups alone, so that they lie as
        those of a new patient will: the leave-one-out form of cross-conformal prediction (Vovk,
        "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 74, 2015).
        """
        values, places = np.asarray(scores, np.float64), np.asarray(positions, np.float64)
        _, codes = np.unique(np.asarray(groups, np.str_), return_inverse=True)
        middle = float(np.median(values))
        sums = _Sums.of(values - middle, places, codes)
        profile = cls(*sums.profile(middle))
        own = np.empty(values.size)
        for code in range(int(codes.max()) + 1):
            here = codes == code
            own[here] = cls(*sums.without(code).profile(middle)).standardised(values[here], places[here])
        return profile, own

    def standardised(self, scores: ArrayLike, positions: ArrayLike) -> Floats:
        """Return by how many scales scores (N,) lie above the location at their positions (N,)."""
        values, places = np.asarray(scores, np.float64), np.asarray(positions, np.float64)
        knots = np.linspace(0, 1, KNOTS)
        location, scale = np.interp(places, knots, self.location), np.interp(places, knots, self.scale)
        return np.asarray((values - location) / scale, np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"location": self.location.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be a profile's."""
        try:
            location, scale = (np.array(values[name], np.float64) for name in ("location", "scale"))
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptArtefact(f"A saved profile by position cannot be used: {error!r}.") from error
        sound = location.shape == scale.shape == (KNOTS,) and np.isfinite(location + scale).all()
        if not sound or not (scale > 0).all():
            raise CorruptArtefact("A saved profile by position cannot be used: its values make no sense.")
        return cls(location, scale)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of each group, near each position and at all, the weights and the weighted scores and squares.

    `near` is float64 (3, G, 41), `whole` float64 (3, G).
    """

    near: Floats
    whole: Floats

    @classmethod
    def of(cls, scores: Floats, positions: Floats, codes: NDArray[np.intp]) -> Self:
        count = int(codes.max()) + 1
        weights = 1 / np.bincount(codes)[codes]
        kernel = np.exp(-0.5 * ((positions[:, None] - np.linspace(0, 1, KNOTS)) / BANDWIDTH) ** 2)
        near, whole = np.zeros((3, count, KNOTS)), np.zeros((3, count))
        for power in range(3):
            share = weights * scores**power
            np.add.at(near[power], codes, share[:, None] * kernel)
            np.add.at(whole[power], codes, share)
        return cls(near, whole)

    def without(self, code: int) -> Self:
        """Return the sums of the other groups; of a single group, its own."""
        if self.whole.shape[1] == 1:
            return self
        return type(self)(np.delete(self.near, code, axis=1), np.delete(self.whole, code, axis=1))

    def profile(self, middle: float) -> tuple[Floats, Floats]:
        """Return location and scale (41,); `middle` was taken off the scores."""
        weight, first, second = self.near.sum(axis=1)
        count, total, squares = self.whole.sum(axis=1)
        mean = total / count
        variance = max(float(squares / count - mean**2), 0.0)
        one = weight.mean() / count  # what a group that is spread evenly weighs near a position
        location = (first + one * mean) / (weight + one)
        spread = second - 2 * location * first + location**2 * weight
        scale = np.sqrt(np.maximum((spread + one * variance) / (weight + one), 0.0))
        least = 1e-6 * max(float(np.sqrt(variance)), abs(middle), 1e-6)
        return location + middle, np.maximum(scale, least)
