"""Banks of healthy scans have a bound, whatever the number of healthy scans, and so has their search."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from atypia.detectors import (
    Asymmetry,
    Atlas,
    Detector,
    FitContext,
    Nearest,
    PatchCore,
    healthy_atlas,
)
from atypia.detectors.patch_bank import PRODUCTS, PatchBank

ENCODER = "efficientnet-lite0"
MOST = 30


class Again:
    """A prepared set of many scans: a few, over and over, each a little brighter than the one before."""

    def __init__(self, few, count: int) -> None:
        self.few, self.count = few, count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices):
        batch = self.few.batch(indices % len(self.few))
        factor = 1 - 0.001 * (indices // len(self.few)).astype(np.float32)
        return type(batch)(batch.pixels * factor[:, None, None], batch.foreground)


def sizes(detector: Detector) -> dict[str, int]:
    return {name: array.nbytes for name, array in detector.state().arrays.items()}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Nearest(ENCODER, components=8, bank=MOST, threads=1),
        lambda: PatchCore(ENCODER, components=8, bank=300, threads=1),
        lambda: Atlas(threads=1, retrieved=8),
        lambda: Asymmetry(threads=1, retrieved=8),
    ],
    ids=["nearest", "patchcore", "atlas", "asymmetry"],
)
def test_a_bank_of_many_scans_is_as_large_as_its_bound(
    make: Callable[[], Detector], heads_of, tmp_path, monkeypatch
):
    monkeypatch.setattr(healthy_atlas, "MOST", MOST)
    few = heads_of(20)
    at_bound, many = (
        make().fit(Again(few, count), FitContext(tmp_path / str(count), seed=1)) for count in (60, 120)
    )
    assert sizes(many) == sizes(at_bound)
    assert np.isfinite(many.score(few.batch(np.arange(3))).image).all()


@pytest.mark.parametrize("reach", [None, 1])
def test_the_search_s_memory_does_not_grow_with_the_bank(reach, rng):
    grid, width, count = 8, 16, 60_000
    members = rng.normal(size=(count, width)).astype(np.float16)
    places = rng.integers(0, grid, (count, 2)).astype(np.int16)
    bank = PatchBank(members, places, np.zeros(count, np.int32), grid, reach)
    cells = rng.normal(size=(16, grid, grid, width)).astype(np.float32)
    bank.nearest(cells[:1])  # what is kept from one search to the next
    tracemalloc.start()
    bank.nearest(cells)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 4 * PRODUCTS + 2 * 4 * count * width
