from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.detectors.subset import Subset, kept_aside

small_groups = st.lists(st.integers(1, 4), min_size=20, max_size=40).map(
    lambda sizes: tuple(f"p{i}" for i, size in enumerate(sizes) for _ in range(size))
)
any_groups = st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=40).map(tuple)


@given(groups=any_groups, more=st.integers(0, 20), share=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_every_scan_is_on_one_side_and_neither_side_is_empty(groups, more, share, seed):
    count = len(groups) + more
    if count < 2:
        return
    learned, kept = kept_aside(count, groups, share, seed)
    assert sorted([*learned, *kept]) == list(range(count))
    assert np.array_equal(learned, np.sort(learned))
    assert np.array_equal(kept, np.sort(kept))
    assert len(kept)


@given(groups=any_groups, share=st.floats(0.05, 0.9), seed=st.integers(0, 99))
def test_groups_stay_whole(groups, share, seed):
    names = {g for g in groups if g is not None}
    if len(names) < 3:
        return
    learned, kept = (
        {groups[i] for i in side} - {None} for side in kept_aside(len(groups), groups, share, seed)
    )
    assert not learned & kept


@given(groups=small_groups, share=st.floats(0.1, 0.5), seed=st.integers(0, 99))
def test_about_the_share_is_kept(groups, share, seed):
    _, kept = kept_aside(len(groups), groups, share, seed)
    wanted = share * len(groups)
    assert wanted - 4.5 <= len(kept) <= max(1.5 * wanted, wanted + 2) + 1


@pytest.mark.parametrize("groups", [(), ("a",) * 20, ("a",) * 10 + ("b",) * 10])
def test_with_fewer_than_three_groups_scans_are_kept_one_by_one(groups):
    _, kept = kept_aside(20, groups, 0.2, 0)
    assert len(kept) == 4


@pytest.mark.parametrize("seed", range(8))
def test_a_group_of_most_scans_is_learned_from(seed):
    learned, kept = kept_aside(20, ("a",) * 18 + ("b", "c"), 0.2, seed)
    assert set(range(18)) <= set(learned)
    assert len(kept) == 2


def test_where_all_groups_are_too_large_the_smallest_is_kept():
    _, kept = kept_aside(40, ("a",) * 16 + ("b",) * 10 + ("c",) * 14, 0.1, 0)
    assert kept.tolist() == list(range(16, 26))


def test_another_seed_keeps_others():
    kept = [tuple(kept_aside(40, (), 0.2, seed)[1]) for seed in (1, 1, 2)]
    assert kept[0] == kept[1] != kept[2]


def test_a_subset_is_the_scans_at_its_places(healthy):
    subset = Subset(healthy, np.array([3, 8, 21]))
    assert len(subset) == 3
    batch = subset.batch(np.array([2, 0]))
    assert np.array_equal(batch.pixels, healthy.pixels[[21, 3]])
    assert np.array_equal(batch.foreground, healthy.foreground[[21, 3]])
