"""The check that comes before any verdict: does the Screener know how to judge this scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, final

import numpy as np
from numpy.typing import NDArray

from atypia.errors import BadOption, CorruptArtefact
from atypia.fitness.familiar import Familiar
from atypia.fitness.limit import Limit
from atypia.fitness.look import Looks, look_at, look_encoder
from atypia.progress import progress
from atypia.scan import Image, Mask

ALPHA = 0.01
FEWEST = 5
MOST_LEARNED = 4000
MOSTLY_CT = 0.25
DISTANCE_MARGIN = 1.75
SHARED_MARGIN = 2.4
NOISE_MARGIN, LEAST_NOISE = 6.0, 0.08
FEWEST_HEADS = 3
AT_ONCE = 32


class PreparedScans(Protocol):
    """Prepared scans that are read by index."""

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.intp]) -> PreparedPart:
        """Return the prepared scans at these places, in this order."""


class PreparedPart(Protocol):
    """Some prepared scans: `pixels` float32 (N, S, S) in [0, 1] and `foreground` bool (N, S, S)."""

    @property
    def pixels(self) -> Image:
        """The canvases."""

    @property
    def foreground(self) -> Mask:
        """The heads."""


@dataclass(frozen=True)
class Verdict:
    """How unfit a scan is, above 1 it may not be judged, and then why, in words."""

    unfitness: float
    reason: str | None


@final
@dataclass(frozen=True, eq=False)
class Fitness:
    """What the scans learned from look like by acquisition, and how far healthy scans stray from that.

    A scan is unfit where its look is farther from those learned from than `distance` allows, where it is
    noisier than `noise` allows, where it shows three heads or more, or, with `refuses_ct`, where it looks
    like CT. Labels play no part.
    `learned` counts the scans learned from; `left_out` those among them, and among the calibration scans,
    that look like CT while most do not: nothing was learned from these.
    `threads` bounds the threads of the encoder.
    """

    familiar: Familiar
    distance: Limit
    noise: Limit
    refuses_ct: bool
    learned: int
    left_out: int
    threads: int | None = None

    @classmethod
    def learn(
        cls,
        healthy: PreparedScans,
        calibration: PreparedScans,
        *,
        seed: int = 0,
        threads: int | None = None,
        apart: bool = True,
    ) -> Self | None:
        """Learn from healthy scans, and set limits by healthy scans that nothing was learned from.

        The two limits share ALPHA (Bonferroni). Unless the patients of one side are `apart` from those of the
        other, calibration scans are nearer than scans of a new patient are, and the margin is wider.
        None where, CT set aside, fewer than 5 scans are left of either: then there is nothing to compare
        with, and every scan is judged.
        """
        kept = np.arange(len(healthy))
        if len(kept) > MOST_LEARNED:
            kept = np.sort(np.random.default_rng((seed, 8)).permutation(kept)[:MOST_LEARNED])
        looks = _look_at_all(healthy, kept, threads)
        aside = _look_at_all(calibration, np.arange(len(calibration)), threads)
        refuses_ct = bool((looks.ct > 0).mean() < MOSTLY_CT)
        found = len(looks) + len(aside)
        if refuses_ct:
            looks, aside = looks.where(looks.ct <= 0), aside.where(aside.ct <= 0)
        if min(len(looks), len(aside)) < FEWEST:
            return None
        familiar = Familiar.learn(looks.features)
        return cls(
            familiar,
            Limit.learn(
                familiar.distance(aside.features), ALPHA / 2, DISTANCE_MARGIN if apart else SHARED_MARGIN
            ),
            Limit.learn(aside.noise, ALPHA / 2, NOISE_MARGIN, LEAST_NOISE),
            refuses_ct,
            len(looks),
            found - len(looks) - len(aside),
            threads,
        )

    def judge(self, pixels: Image, foreground: Mask, heads: Sequence[int] | None = None) -> list[Verdict]:
        """Judge prepared scans (N, S, S) in [0, 1] with their foreground, in order.

        `heads` counts what is as large as the head in each picture, where that is known.
        """
        looks = look_at(pixels, foreground, self.threads)
        distances = self.familiar.distance(looks.features).tolist()
        counts = [1] * len(looks) if heads is None else heads
        measures = zip(counts, distances, looks.noise.tolist(), looks.ct.tolist(), strict=True)
        return [self._verdict(*one) for one in measures]

    def _verdict(self, heads: int, distance: float, noise: float, ct: float) -> Verdict:
        unlike = {
            f"a montage: shows {heads} heads": 1.5 if heads >= FEWEST_HEADS else 0.0,
            _ct_reason(): max(0.0, 1 + ct / 2) if self.refuses_ct else 0.0,
            _noise_reason(noise, self.noise): noise / self.noise.value,
            _distance_reason(distance, self.distance): distance / self.distance.value,
        }
        reason = next((words for words, value in unlike.items() if value > 1), None)
        return Verdict(max(unlike.values()), reason)

    def with_threads(self, threads: int | None) -> Fitness:
        """Return the same check, its encoder bound to so many threads."""
        return replace(self, threads=threads)

    def card(self) -> dict[str, Any]:
        """Return what there is to know of the check, as words and numbers."""
        return {
            "learned from": self.learned,
            "left out as CT": self.left_out,
            "refuses CT": self.refuses_ct,
            "farthest distance": round(self.distance.value, 3),
            "strongest noise": round(self.noise.value, 3),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all but the arrays."""
        return {
            "distance": self.distance.to_dict(),
            "noise": self.noise.to_dict(),
            "refuses_ct": self.refuses_ct,
            "learned": self.learned,
            "left_out": self.left_out,
            "encoder": look_encoder(self.threads).fingerprint,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return self.familiar.arrays()

    @classmethod
    def from_state(
        cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], threads: int | None = None
    ) -> Self:
        """Rebuild from `to_dict` and `arrays`; raise CorruptArtefact where they are not what was saved."""
        try:
            made = cls(
                Familiar.from_arrays(arrays),
                Limit.from_dict(values["distance"]),
                Limit.from_dict(values["noise"]),
                bool(values["refuses_ct"]),
                int(values["learned"]),
                int(values["left_out"]),
                threads,
            )
            encoder = str(values["encoder"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CorruptArtefact(f"The saved fitness check cannot be used: {error!r}.") from error
        if encoder != look_encoder(threads).fingerprint:
            raise CorruptArtefact(
                "The saved fitness check was learned with another embedded encoder than this version has. "
                "Fit the Screener again."
            )
        return made


def _look_at_all(scans: PreparedScans, places: NDArray[np.intp], threads: int | None) -> Looks:
    if not len(places):
        raise BadOption("Expected scans to learn the fitness check from, received none.")
    parts = [places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE)]
    looks = []
    for part in progress(parts, total=len(parts), label="looking at acquisitions", unit="batch"):
        batch = scans.batch(part)
        looks.append(look_at(batch.pixels, batch.foreground, threads))
    return Looks.together(looks)


def _ct_reason() -> str:
    return "looks like CT (a thick, closed, bright ring around an even interior); learned from MRI"


def _noise_reason(noise: float, limit: Limit) -> str:
    return (
        f"far noisier than what was learned from (noise {noise:.3f} of the range, "
        f"healthy calibration scans up to {limit.highest:.3f}, limit {limit.value:.3f})"
    )


def _distance_reason(distance: float, limit: Limit) -> str:
    return (
        f"unlike any scan learned from (distance {distance:.2f}, "
        f"healthy calibration scans up to {limit.highest:.2f}, limit {limit.value:.2f})"
    )
