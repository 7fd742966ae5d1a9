from __future__ import annotations

import numpy as np
import pytest

from atypia.threshold import volume_p_value, volume_score
from atypia.threshold.healthy import HealthyScores


def healthy(volumes: int, slices: int, seed: int = 0) -> HealthyScores:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(volumes, slices)) + rng.normal(size=(volumes, 1))
    return HealthyScores.of(scores, [number for number in range(volumes) for _ in range(slices)])


def test_the_score_is_the_mean_of_the_three_highest():
    assert volume_score([3, 9, 1, 6]) == 6
    assert volume_score([3, 5]) == 4


def test_a_volume_counts_once_however_many_slices_it_has():
    known = HealthyScores.of([1, 2, 3, 7, 8, 9, 9, 9], list("aaabbbbb"))
    assert volume_p_value(known, 1.9) == 1
    assert volume_p_value(known, 2.1) == pytest.approx(2 / 3)
    assert volume_p_value(known, 9) == pytest.approx(2 / 3)
    assert volume_p_value(known, 9.1) == pytest.approx(1 / 3)


def test_without_known_volumes_there_is_no_p_value():
    assert volume_p_value(HealthyScores.of([1, 2, 3, 4]), 3) is None
    assert volume_p_value(HealthyScores.of([1, 2, 3, 4], list("aaab")), 3) is None


def test_a_healthy_volume_is_rarely_called_unusual():
    """The share of p-values at or below alpha is at most alpha, but for chance: 2000 draws of 20 volumes."""
    p_values = []
    for seed in range(2000):
        drawn = healthy(20, 8, seed)
        own = drawn.groups == drawn.groups[0]
        p_values.append(volume_p_value(drawn.chosen(list(~own)), volume_score(drawn.scores[own])))
    for alpha in (0.05, 0.1, 0.2):
        assert np.mean(np.array(p_values) <= alpha) <= alpha + 3 * np.sqrt(alpha / 2000)


def test_a_volume_is_compared_with_slices_of_its_plane():
    scores, groups = [1, 2, 3, 7, 8, 9, 4, 5, 6, 1, 1, 1], list("aaaaaabbbbbb")
    planes = (["axial"] * 3 + ["coronal"] * 3) * 2
    known = HealthyScores.of(scores, groups, {"plane": planes})
    assert volume_p_value(known, 5.5, "axial") == pytest.approx(1 / 3)
    assert volume_p_value(known, 5.5, "coronal") == pytest.approx(2 / 3)
    assert volume_p_value(known, 5.5) == pytest.approx(2 / 3)
    assert volume_p_value(known, 5.5, "sagittal") == volume_p_value(known, 5.5)
