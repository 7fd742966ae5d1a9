"""Corrupted scans in, the healthy ones as truth, drawn anew for every pass over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.batch import Batch
from atypia.detectors.canvases import Canvases
from atypia.networks.augmentation import move, shade
from atypia.networks.corruption import Corrupted
from atypia.scan import Image, Mask

Corrupt = Callable[[Image, Image, Mask, Mask, np.random.Generator], Corrupted]
"""(scan, another scan, head, brain, rng) -> corrupted scan; the first four (S, S)."""
# How much more a corrupted region counts than the head around it: regions are small.
FOCUS = 9


@final
class CorruptedExamples:
    """Altered copies of healthy scans, corrupted, in units of the brain's median.

    Everything about a copy is drawn from (seed, pass, scan) alone. With `told`, the strength of the
    corruption is a second, constant channel of the input.
    """

    def __init__(self, canvases: Canvases, corrupt: Corrupt, told: bool, seed: int) -> None:
        self._canvases, self._corrupt, self._told, self._seed = canvases, corrupt, told, seed
        self.fingerprint = canvases.fingerprint

    def __len__(self) -> int:
        return len(self._canvases)

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Image]:
        """Return inputs (n, s, s, 1 or 2) and truth (n, s, s, 2): the healthy scan and its error's weight.

        The weight is 0 outside the head, and from 1 to 10 inside it.
        """
        rngs = [np.random.default_rng((self._seed, 5, view, int(i))) for i in indices]
        partners = np.array([rng.integers(len(self)) for rng in rngs])
        others = self._canvases.batch(partners).tissue
        altered = _altered(self._canvases.batch(indices), rngs)
        inputs = np.empty((*altered.pixels.shape, 1 + self._told), np.float32)
        weights = np.empty_like(altered.pixels)
        triples = zip(altered.tissue, altered.foreground, altered.brain, strict=True)
        for place, (scan, head, brain) in enumerate(triples):
            corrupted = self._corrupt(scan, others[place], head, brain, rngs[place])
            inputs[place, ..., 0] = corrupted.scan
            inputs[place, ..., 1:] = corrupted.strength
            weights[place] = head * (1 + FOCUS * corrupted.where)
        truth = np.stack([altered.tissue, weights], axis=-1)
        return [inputs], truth


def _altered(batch: Batch, rngs: list[np.random.Generator]) -> Batch:
    pixels, heads, brains = np.empty_like(batch.pixels), [], []
    for place, rng in enumerate(rngs):
        marked = batch.foreground[place] + batch.brain[place].astype(np.float32)
        moved, where = move((batch.pixels[place], marked), rng)
        pixels[place] = shade(moved, rng)
        heads.append(where > 0.5)
        brains.append(where > 1.5)
    return Batch(pixels, np.stack(heads), np.stack(brains))
