from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from atypia.errors import ScoresDiffer
from atypia.optimising.agreement import LEAST, Agreement


def agreed(before, after, value=0.5) -> Agreement:
    one, other = np.asarray(before, float), np.asarray(after, float)
    return Agreement.of(one, other, one > value, other > value)


SCORES = st.lists(st.integers(-1000, 1000), min_size=20, max_size=60).filter(lambda v: len(set(v)) > 1)


@given(SCORES, st.integers(0, 100))
def test_it_is_the_rank_correlation_of_scipy(before, seed):
    after = before + np.random.default_rng(seed).normal(0, 200, len(before))
    expected = spearmanr(before, after).statistic
    assert agreed(before, after).spearman == pytest.approx(expected, abs=1e-9)


@given(SCORES)
def test_the_same_scores_agree(scores):
    found = agreed(scores, scores)
    assert (found.spearman, found.shift, found.spread, found.close) == (1.0, 0.0, 0.0, True)
    assert found.flagged_before == found.flagged_after
    found.demand()


def test_scores_in_another_order_are_refused_and_nothing_hides_it():
    rng = np.random.default_rng(0)
    before = rng.normal(size=200)
    found = agreed(before, before + 0.3 * rng.normal(size=200))
    assert found.spearman < LEAST
    with pytest.raises(ScoresDiffer, match=r"--recalibrate") as error:
        found.demand()
    assert error.value.exit_code == 7


def test_scores_that_all_move_are_refused_though_their_order_stays():
    before = np.random.default_rng(0).normal(size=200)
    found = agreed(before, before + 0.5)
    assert found.spearman == 1.0
    assert found.flagged_after > found.flagged_before
    with pytest.raises(ScoresDiffer, match=r"\+0\.5"):
        found.demand()


def test_scores_that_are_all_the_same_show_nothing_and_are_refused():
    found = agreed(np.arange(30.0), np.ones(30))
    assert found.to_dict()["spearman"] is None
    with pytest.raises(ScoresDiffer):
        found.demand()
