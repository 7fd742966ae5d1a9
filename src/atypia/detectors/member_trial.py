"""How well detectors find simulated lesions in healthy scans kept aside: a choice without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.base import Detector
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.depths import depth
from atypia.detectors.healthy_atlas import reduced
from atypia.encoders.one_pass import one_pass
from atypia.in_order import queued
from atypia.lesions import LesionSettings, LesionSimulator
from atypia.scan import Image, Mask

AT_ONCE = 16
MOST_SCANS = 96
SIDE = 112
AHEAD = 4

Scale = Callable[[Image], Image]
_Tried = list[tuple[NDArray[np.float64], NDArray[np.float64], Image]]


@dataclass(frozen=True)
class Trial:
    """What a detector made of simulated lesions: its AUROC, and the average precision of its map."""

    auroc: float
    precision: float

    @property
    def weight(self) -> float:
        """How much its map counts: its average precision."""
        return self.precision

    def to_dict(self) -> dict[str, float]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise TypeError for other names."""
        return cls(**values)


def trial_of(detector: Detector, healthy: PreparedSet, seed: int) -> Trial:
    """Simulate a lesion in each of at most 96 healthy scans that a detector has not seen, and judge it.

    It asks for no label and for no scale: both figures go by ranks alone, so that an increasing function of
    the scores, and of the map at 112 pixels a side, leaves them as they are. Detectors with one preparation
    meet the same lesions.
    """
    (trial,) = try_members([detector], [_as_it_is], healthy, seed)
    return trial


def try_members(
    members: Sequence[Detector],
    scales: Sequence[Scale],
    healthy: PreparedSet,
    seed: int,
    known: Sequence[NDArray[np.float64]] | None = None,
    pool: Executor | None = None,
) -> list[Trial]:
    """Simulate a lesion in each of at most 96 healthy scans, and judge each detector on them.

    `known` are the detectors' scores (N,) of all healthy scans, where they are known already. Batches are
    judged in the threads of the pool, where one is given.

    Finding simulated anomalies as a criterion for choosing detectors without labels; the correlation with
    how they do on real ones is measured in the project's benchmarks.
    """
    rng = np.random.default_rng((seed, 23))
    chosen = np.sort(rng.permutation(len(healthy))[:MOST_SCANS])
    before: list[list[NDArray[np.float64]]] = [[] for _ in members]
    after: list[list[NDArray[np.float64]]] = [[] for _ in members]
    maps: list[list[Image]] = [[] for _ in members]
    masks: list[Mask] = []

    def ill(part: NDArray[np.intp]) -> tuple[NDArray[np.intp], Batch, Batch, Mask]:
        batch = healthy.batch(chosen[part])
        return chosen[part], batch, *with_lesions(batch, rng)

    def tried(twins: tuple[NDArray[np.intp], Batch, Batch, Mask]) -> tuple[_Tried, Mask]:
        places, batch, ill, mask = twins
        with one_pass():
            known_ = [own[places] for own in known] if known else [one.score(batch).image for one in members]
            found = [one.score(ill) for one in members]
        heat = [reduced(scale(one.map), SIDE) for scale, one in zip(scales, found, strict=True)]
        return list(zip(known_, [one.image for one in found], heat, strict=True)), mask

    # Lesions are drawn one batch after the other, by the caller.
    drawn = (ill(part) for part in batches(len(chosen), AT_ONCE))
    for each, mask in queued(tried, drawn, pool, ahead=AHEAD):
        masks.append(mask)
        for place, (healthy_scores, scores, heat) in enumerate(each):
            before[place].append(healthy_scores)
            after[place].append(scores)
            maps[place].append(heat)
    truth = np.concatenate(masks)
    return [
        Trial(
            _auroc(np.concatenate(before[i]), np.concatenate(after[i])),
            _average_precision(np.concatenate(maps[i]), truth),
        )
        for i in range(len(members))
    ]


def with_lesions(batch: Batch, rng: np.random.Generator) -> tuple[Batch, Mask]:
    """Return healthy scans (N, S, S) with one lesion each, or two, and their masks (N, 112, 112)."""
    size = batch.pixels.shape[-1]
    simulate = LesionSimulator(size, LesionSettings(ring=0.1, tissue=0.3, bright=0.75))
    deep = np.stack([depth(head) for head in batch.foreground])
    tissue, mask = simulate.add(rng, batch.tissue, deep)
    # The change alone is added: where tissue was cut at its brightest the scan stays as it is.
    pixels = np.clip(batch.pixels + (tissue - batch.tissue) * batch.level[:, None, None], 0, 1)
    ill = Batch(pixels.astype(np.float32), batch.foreground, batch.brain)
    return ill, reduced(mask.astype(np.float32), SIDE) > 0.5


def _as_it_is(heat: Image) -> Image:
    return heat


def _auroc(healthy: NDArray[np.float64], ill: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([healthy, ill]))[len(healthy) :]
    return float((ranks.mean() - (len(ill) + 1) / 2) / len(healthy))


def _average_precision(heat: Image, truth: Mask) -> float:
    found = truth.ravel()[np.argsort(-heat.ravel(), kind="stable")]
    if not found.any():
        return 0.0
    hits = np.cumsum(found)
    return float((hits / np.arange(1, len(found) + 1))[found].mean())
