from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.networks.corruption import CORRUPTIONS, SHARES, coarse_noise, corrupt, draw_region

SIZE = 32
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
HEAD = np.hypot(ROWS, COLUMNS) < 14
BRAIN = np.hypot(ROWS, COLUMNS) < 9
seeds = st.integers(0, 2**32 - 1)


def scan(seed: int) -> np.ndarray:
    return (HEAD * np.random.default_rng(seed).uniform(0.5, 1.5, HEAD.shape)).astype(np.float32)


@given(seeds, st.integers(2, 64))
def test_coarse_noise_is_smooth_and_of_no_greater_variance_than_its_cells(seed, cells):
    noise = coarse_noise(SIZE, cells, np.random.default_rng(seed))
    assert noise.shape == (SIZE, SIZE)
    assert noise.dtype == np.float32
    assert np.abs(noise).max() < 6
    if cells <= SIZE // 4:
        assert np.abs(np.diff(noise, axis=0)).max() < 8 * cells / SIZE


@given(seeds)
def test_a_region_is_soft_between_nothing_and_all(seed):
    region = draw_region(BRAIN, np.random.default_rng(seed))
    assert region.shape == BRAIN.shape
    assert ((region >= 0) & (region <= 1)).all()
    assert region.max() > 0.5


@given(seeds)
def test_a_corrupted_scan_is_the_healthy_one_but_for_its_regions_and_noise_in_the_head(seed):
    healthy = scan(1)
    found = corrupt(healthy, scan(2), HEAD, BRAIN, np.random.default_rng(seed))
    assert found.scan.dtype == found.where.dtype == np.float32
    assert np.isfinite(found.scan).all()
    assert 0 < found.strength <= 1
    assert ((found.where >= 0) & (found.where <= 1)).all()
    assert np.array_equal(found.scan[~HEAD & (found.where == 0)], healthy[~HEAD & (found.where == 0)])
    far = np.hypot(ROWS, COLUMNS) > 12
    assert (found.where[far] == 0).all()


def test_same_draw_same_corruption_and_some_scans_stay_healthy():
    healthy, other = scan(1), scan(2)
    drawn = [corrupt(healthy, other, HEAD, BRAIN, np.random.default_rng(seed)) for seed in range(60)]
    again = corrupt(healthy, other, HEAD, BRAIN, np.random.default_rng(7))
    assert np.array_equal(again.scan, drawn[7].scan)
    untouched = np.mean([np.array_equal(each.scan, healthy) for each in drawn])
    assert 0.05 < untouched < 0.35


@pytest.mark.parametrize("kind", sorted(CORRUPTIONS))
def test_every_corruption_changes_what_is_in_its_region(kind):
    _, change = CORRUPTIONS[kind]
    healthy, region = scan(1), draw_region(BRAIN, np.random.default_rng(4))
    altered = change(healthy, scan(2), region, np.random.default_rng(5))
    assert altered.shape == healthy.shape
    assert np.abs((altered - healthy) * region).max() > 0.02


def test_the_corruptions_are_drawn_by_shares_of_one():
    assert sum(SHARES) == pytest.approx(1)


def test_a_scan_without_a_brain_is_corrupted_anywhere():
    nothing = np.zeros_like(BRAIN)
    found = [corrupt(scan(1), scan(2), HEAD, nothing, np.random.default_rng(seed)) for seed in range(9)]
    assert max(each.where.max() for each in found) > 0.5
