"""Healthy scores along the head, and scores in units of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.errors import CorruptArtefact
from atypia.screener.position_profile import KNOTS, PositionProfile
from atypia.threshold import Threshold


def draw(
    rng: np.random.Generator, patients: int, slices: int = 20
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores that rise and spread towards both ends, alike within a patient."""
    positions = rng.uniform(0, 1, (patients, slices))
    far = np.abs(positions - 0.5)
    own = rng.normal(size=(patients, 1))
    scores = 10 + 20 * far**2 + (1 + 4 * far) * (0.5 * own + rng.normal(size=(patients, slices)))
    return scores.ravel(), positions.ravel(), [str(n) for n in range(patients) for _ in range(slices)]


def test_standardised_scores_are_alike_all_along_the_head():
    scores, positions, groups = draw(np.random.default_rng(1), 60, 40)
    _, own = PositionProfile.learn(scores, positions, groups)
    for low in np.linspace(0, 0.8, 5):
        here = (positions >= low) & (positions < low + 0.2)
        assert abs(own[here].mean()) < 0.25
        assert own[here].std() == pytest.approx(1.05, abs=0.2)
    assert np.corrcoef(np.abs(positions - 0.5), scores)[0, 1] > 0.5
    assert abs(np.corrcoef(np.abs(positions - 0.5), own)[0, 1]) < 0.1


def test_a_group_has_no_part_in_what_its_own_scores_are_compared_with():
    scores, positions, groups = draw(np.random.default_rng(2), 12)
    _, before = PositionProfile.learn(scores, positions, groups)
    mine = np.array(groups) == "3"
    profile, _ = PositionProfile.learn(scores[~mine], positions[~mine], [g for g in groups if g != "3"])
    np.testing.assert_allclose(before[mine], profile.standardised(scores[mine], positions[mine]), rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_the_promised_rate_of_false_alarms_holds(alpha):
    """A slice drawn at random from a new patient: 400 calibrations of 15 patients, 40 slices each."""
    rng, rates = np.random.default_rng(3), []
    for _ in range(400):
        scores, positions, groups = draw(rng, 15, 12)
        profile, own = PositionProfile.learn(scores, positions, groups)
        threshold = Threshold.learn(own, "conformal", alpha, groups=groups)
        new, places, _ = draw(rng, 40, 1)
        rates.append(threshold.flags(profile.standardised(new, places)).mean())
    assert np.mean(rates) <= alpha + 3 * np.std(rates) / np.sqrt(len(rates))


def test_and_it_holds_at_the_ends_where_the_pooled_threshold_breaks_it():
    rng, alpha, pooled, placed = np.random.default_rng(4), 0.1, [], []
    for _ in range(150):
        scores, positions, groups = draw(rng, 20)
        profile, own = PositionProfile.learn(scores, positions, groups)
        new, places, _ = draw(rng, 200, 1)
        end = places > 0.85
        by_place = Threshold.learn(own, "conformal", alpha, groups=groups)
        placed.append(by_place.flags(profile.standardised(new[end], places[end])).mean())
        pooled.append(Threshold.learn(scores, "conformal", alpha, groups=groups).flags(new[end]).mean())
    assert np.mean(pooled) > 1.5 * alpha
    assert np.mean(placed) < 1.2 * alpha


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 50), st.floats(0.01, 1000), st.floats(-100, 100))
def test_the_unit_of_the_detector_does_not_matter(seed, factor, offset):
    scores, positions, groups = draw(np.random.default_rng(seed), 10, 8)
    _, own = PositionProfile.learn(scores, positions, groups)
    _, again = PositionProfile.learn(factor * scores + offset, positions, groups)
    np.testing.assert_allclose(again, own, atol=1e-6)


def test_a_higher_score_is_more_unusual_and_equal_scores_are_no_accident():
    scores, positions, groups = draw(np.random.default_rng(5), 10)
    profile, _ = PositionProfile.learn(scores, positions, groups)
    assert (np.diff(profile.standardised(np.arange(10.0), np.full(10, 0.3))) > 0).all()
    flat, own = PositionProfile.learn(np.full(scores.size, 3.0), positions, groups)
    assert not own.any()
    assert np.isfinite(flat.standardised([4.0], [0.5])).all()


def test_it_is_saved_as_numbers():
    profile, _ = PositionProfile.learn(*draw(np.random.default_rng(6), 10))
    again = PositionProfile.from_dict(profile.to_dict())
    np.testing.assert_array_equal(again.location, profile.location)
    for values in (
        {},
        {"location": [1.0], "scale": [1.0]},
        {"location": [0.0] * KNOTS, "scale": [0.0] * KNOTS},
        {"location": ["x"] * KNOTS, "scale": [1.0] * KNOTS},
    ):
        with pytest.raises(CorruptArtefact, match="profile by position"):
            PositionProfile.from_dict(values)
