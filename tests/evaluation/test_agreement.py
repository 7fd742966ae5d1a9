from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.evaluation.agreement import rank_agreement

VALUES = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=4, max_size=12)


def test_the_same_order_agrees_wholly_and_the_reverse_not_at_all():
    same = rank_agreement("a", "b", [0.1, 0.2, 0.3, 0.4, 0.5], [1, 4, 9, 16, 25])
    assert (same.spearman, same.kendall, same.count) == (1, 1, 5)
    turned = rank_agreement("a", "b", [0.1, 0.2, 0.3, 0.4, 0.5], [5, 4, 3, 2, 1])
    assert (turned.spearman, turned.kendall) == (-1, -1)


@pytest.mark.parametrize(
    ("guessed", "true"),
    [
        ([], []),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, None], [1, 2, 3, 4]),
        ([1, 2, 3, 4], [1, 2, 3, math.nan]),
        ([1, 1, 1, 1], [1, 2, 3, 4]),
    ],
)
def test_too_few_or_all_equal_tell_nothing(guessed, true):
    assert rank_agreement("a", "b", guessed, true) is None


@given(VALUES)
def test_an_increasing_function_changes_nothing(pairs):
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    before = rank_agreement("a", "b", first, second)
    assert before == rank_agreement("a", "b", [math.exp(a / 20) for a in first], [b**3 for b in second])
    assert before == rank_agreement("a", "b", second, first)
