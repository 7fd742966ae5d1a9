"""Scores of slices of volumes, standardised by where in the head they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact, NotEnoughScans
from atypia.reading.row import Row
from atypia.scan import Scan
from atypia.screener.origin import columns_of, groups_of
from atypia.screener.position_profile import PositionProfile
from atypia.threshold.healthy import HealthyScores

FEWEST_GROUPS = 10
FEWEST_SLICES = 50

Floats = NDArray[np.float64]
Items = Sequence[Row | Scan]
Positions = Sequence[float | None]


@dataclass(frozen=True, eq=False)
class PositionScale:
    """A profile of healthy scores along the head, by plane.

    A score becomes the number of standard deviations that it lies above healthy slices of its position, so
    that a vertex slice is compared with vertex slices. A scan whose position is not known, as a picture, or
    whose plane is none of these, is set against all: `mean` and `spread` are those of all healthy slices,
    and `unplaced` their scores in this unit.
    """

    profiles: Mapping[str, PositionProfile]
    mean: float
    spread: float
    unplaced: HealthyScores

    @classmethod
    def learn(cls, scores: Floats, positions: Positions, sources: Items) -> tuple[Self, Floats]:
        """Learn from the scores (N,) of held-out healthy slices; also return them standardised (N,).

        Positions and planes must be known: see `shortfall`. Each group, which is the volume where none is
        named, is standardised by the others alone.
        """
        places = np.array(positions, np.float64)
        groups = np.array([_group(source) for source in sources])
        planes = np.array([source.plane for source in sources])
        profiles, own = {}, np.empty(len(scores))
        for plane in np.unique(planes):
            here = planes == plane
            profiles[str(plane)], own[here] = PositionProfile.learn(scores[here], places[here], groups[here])
        mean, spread = float(scores.mean()), float(scores.std()) or 1.0
        unplaced = HealthyScores.of((scores - mean) / spread, groups_of(sources), columns_of(sources))
        return cls(profiles, mean, spread, unplaced), own

    def standardised(self, score: float, position: float | None, plane: str | None) -> tuple[float, bool]:
        """Return a score in standard deviations, and whether it was compared with its own position."""
        profile = self.profiles.get(plane or "")
        if profile is None or position is None:
            return (score - self.mean) / self.spread, False
        return float(profile.standardised(score, position)), True

    def card(self) -> dict[str, Any]:
        """Return what there is to know of it, for readers."""
        return {"scores by position": "standard deviations of healthy slices", "planes": [*self.profiles]}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "profiles": {plane: profile.to_dict() for plane, profile in self.profiles.items()},
            "mean": self.mean,
            "spread": self.spread,
            "unplaced": self.unplaced.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be such a scale's."""
        try:
            saved = values["profiles"].items()
            profiles = {str(plane): PositionProfile.from_dict(one) for plane, one in saved}
            mean, spread = float(values["mean"]), float(values["spread"])
            unplaced = HealthyScores.from_dict(values["unplaced"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CorruptArtefact(f"The saved scale by position cannot be used: {error!r}.") from error
        if not (np.isfinite(mean) and np.isfinite(spread) and spread > 0):
            raise CorruptArtefact("The saved scale by position cannot be used: its values make no sense.")
        return cls(profiles, mean, spread, unplaced)


def shortfall(positions: Positions, sources: Items) -> str | None:
    """Return what healthy slices lack for a profile by position, in words; None where they are enough.

    All must be slices of volumes, and each plane needs 10 groups and 50 slices.
    """
    unknown = sum(
        position is None or source.plane is None for position, source in zip(positions, sources, strict=True)
    )
    if unknown:
        return f"{unknown} of {len(sources)} healthy scans kept aside are no slices of volumes"
    for plane in sorted({source.plane or "" for source in sources}):
        own = [source for source in sources if source.plane == plane]
        groups = len({_group(source) for source in own})
        if groups < FEWEST_GROUPS or len(own) < FEWEST_SLICES:
            return (
                f"{len(own)} {plane} slices of {groups} patients are kept aside, "
                f"needed are {FEWEST_SLICES} of {FEWEST_GROUPS}"
            )
    return None


def wants_position(asked: bool | None, positions: Positions, sources: Items) -> bool:
    """Tell whether to learn a profile: where asked for, else where there is enough to learn it from.

    Raises NotEnoughScans where it is asked for and there is not.
    """
    if asked is False or not sources:
        return False
    lack = shortfall(positions, sources)
    if lack is not None and asked:
        raise NotEnoughScans(
            f"Comparing slices by their position needs volumes of at least {FEWEST_GROUPS} patients kept "
            f"aside: {lack}. Give more volumes, set more aside ('atypia split --threshold'), or leave it out."
        )
    return lack is None


def unplaced(asked: bool | None, positions: Positions, sources: Items) -> str | None:
    """Return why slices of volumes are not compared by position; None where they are, and for pictures."""
    if all(position is None for position in positions):
        return None
    return "not asked for" if asked is False else shortfall(positions, sources)


def _group(source: Row | Scan) -> str:
    """Return whose slice this is; its volume where no group is known."""
    return f"group {source.group}" if source.group is not None else f"volume {source.path or source.name}"
