from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.audit.clusters import units_of
from atypia.audit.leaks import find_leaks, random_touched


def test_fellows_are_counted_by_split_once(rows_of):
    rows = rows_of(
        split=["train", "test", "test", "train", "test", "threshold", "tumor_test", "test"],
        group=["p", "p", None, None, "q", "q", None, None],
        label=["normal", "normal", "normal", "normal", "abnormal", "normal", "abnormal", "abnormal"],
    )
    clusters = [0, 0, 1, 1, 2, 3, 4, 4]
    found = find_leaks(rows, clusters, units_of(rows, clusters))
    touched = {entry.split: entry for entry in found.touched}
    assert list(touched) == ["threshold", "test", "tumor_test"]
    test = touched["test"]
    assert (test.scans, test.by_copies, test.by_group, test.either) == (4, 2, 2, 3)
    assert (test.normal, test.normal_touched, test.normal_share) == (2, 2, 1.0)
    assert (test.fitted, test.where) == (3, ("train", "threshold"))
    assert touched["threshold"].either == 0  # its fellow is in a later split
    assert touched["tumor_test"].either == 0  # a fellow in test is no leak
    assert [crossing.into_held_out for crossing in found.crossings] == [True, True, True, True, False]


def test_two_labels_on_copies_are_a_conflict_and_in_a_group_are_told(rows_of):
    rows = rows_of(label=["normal", "abnormal", "normal", None], group=[None, None, "a", "a"])
    found = find_leaks(rows, [0, 0, 1, 1], [0, 0, 1, 1])
    assert found.conflicts == ((0, 1),)
    assert found.mixed_groups == 0
    rows = rows_of(label=["normal", "abnormal"], group=["a", "a"])
    assert find_leaks(rows, [0, 1], [0, 0]).mixed_groups == 1


def test_without_splits_nothing_leaks_and_the_random_split_is_foretold(rows_of):
    found = find_leaks(rows_of(label=["normal"] * 4), [0, 0, 1, -1], [0, 0, 1, 2])
    assert (found.crossings, found.touched) == ((), ())
    assert found.random == pytest.approx(0.4)  # two of four have one fellow each
    assert math.isnan(random_touched([]))


@given(st.lists(st.integers(0, 3), min_size=20, max_size=20), st.integers(0, 100))
def test_a_split_by_cluster_never_leaks(clusters, seed):
    from pathlib import Path

    from atypia.reading.row import SPLITS, Row

    of = np.random.default_rng(seed).choice(SPLITS, 4)
    rows = [Row(Path(str(n)), str(n), split=str(of[cluster])) for n, cluster in enumerate(clusters)]
    found = find_leaks(rows, clusters, clusters)
    assert found.crossings == ()
    assert all(touched.either == 0 for touched in found.touched)


def test_the_foretold_share_is_what_random_splits_leak(rng):
    sizes = [1, 1, 2, 3, 5, 8]
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    leaked, tested = 0, 0
    for _ in range(4000):
        test = rng.random(len(clusters)) < 0.2
        left = np.isin(clusters, clusters[~test])
        leaked, tested = leaked + int((test & left).sum()), tested + int(test.sum())
    assert leaked / tested == pytest.approx(random_touched(sizes), abs=0.01)
