"""Healthy scans with simulated lesions, drawn anew for every pass over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.canvases import Canvases
from atypia.detectors.depths import Depths
from atypia.detectors.healthy_atlas import enlarged
from atypia.detectors.lesion_channels import channels
from atypia.lesions import LesionSettings, LesionSimulator
from atypia.scan import Image


@final
class LesionExamples:
    """Channels (n, h, w, 3) and the lesions' masks (n, h, w, 1) as truth.

    `expected` float32 (N, 2, s, s) is the median and the spread that an atlas without the scan's own group
    gives. Everything about a batch is drawn from (seed, pass, first scan, number of scans) alone.
    """

    def __init__(self, canvases: Canvases, expected: Image, lesions: LesionSettings, seed: int) -> None:
        self._canvases, self._seed = canvases, seed
        self._depths = Depths(canvases, canvases.size, canvases.folder / "depths")
        self._expected = expected.astype(np.float16)
        self._simulate = LesionSimulator(canvases.size, lesions, seed)
        digest = hashlib.sha256(canvases.fingerprint.encode())
        digest.update(self._expected.tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._canvases)

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Image]:
        """Return inputs and truth for these scans in the `view`-th pass."""
        rng = np.random.default_rng((self._seed, 6, view, int(indices[0]), len(indices)))
        batch, size = self._canvases.batch(indices), self._canvases.size
        expected = self._expected[indices].astype(np.float32)
        layers = [
            batch.tissue,
            self._depths.of(indices),
            enlarged(expected[:, 0], size),
            enlarged(expected[:, 1], size),
        ]
        drawn = self._simulate(rng, np.stack(layers, axis=1))
        seen = channels(drawn.pixels, drawn.layers[:, 0], drawn.layers[:, 1])
        return [seen], drawn.mask[..., None].astype(np.float32)


def apart_from_their_groups(count: int, groups: tuple[str | None, ...]) -> Callable[[int], NDArray[np.intp]]:
    """Return what says, for each scan, which scans are of its own group: itself alone where it has none.

    So it is with all scans where there is but one group.
    """
    places: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        if group is not None:
            places.setdefault(group, []).append(place)
    members = {group: np.array(own, np.intp) for group, own in places.items()}
    whole = len(members) > 1  # of one group alone nothing would be left

    def of(place: int) -> NDArray[np.intp]:
        group = groups[place] if place < len(groups) and whole else None
        return np.array([place]) if group is None or count <= len(members[group]) else members[group]

    return of
