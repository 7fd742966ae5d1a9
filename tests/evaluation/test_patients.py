"""Patients as a whole: scored by their three highest slices, against healthy patients scored alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from atypia.evaluation.group_metrics import measure_groups, measure_patients
from atypia.evaluation.verdicts import Verdicts
from atypia.threshold import volume_p_value, volume_score
from atypia.threshold.healthy import HealthyScores


def drawn(patients: int, sick: int, slices: int = 8, seed: int = 0) -> Verdicts:
    """Patients of whom the last ones have two slices that are far higher."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(patients, slices))
    labels = np.zeros((patients, slices), bool)
    labels[patients - sick :, :2] = True
    scores += 4 * labels
    names = tuple(f"{n}:{k}" for n in range(patients) for k in range(slices))
    return Verdicts(
        names,
        (None,) * len(names),
        scores.ravel(),
        np.full(len(names), 0.5),
        labels.ravel(),
        scores.ravel() > 1.6,
        tuple(f"p{n}" for n in range(patients) for _ in range(slices)),
    )


@pytest.fixture
def healthy() -> HealthyScores:
    known = drawn(29, 0, seed=1)
    return HealthyScores.of(known.scores, list(known.groups))


def test_patients_are_judged_as_volumes_are(healthy):
    verdicts = drawn(40, 10)
    found = measure_patients(verdicts, healthy, 0.1, 200)
    assert found is not None
    scores = [volume_score(verdicts.scores[place : place + 8]) for place in range(0, 320, 8)]
    flagged = [(volume_p_value(healthy, score) or 1) <= 0.1 for score in scores]
    counts = found.image.confusion
    assert (counts.normal, counts.abnormal, found.scans) == (30, 10, (8, 8.0, 8))
    assert (counts.false_positive, counts.true_positive) == (sum(flagged[:30]), sum(flagged[30:]))
    pairs = [(low < high) + (low == high) / 2 for low in scores[:30] for high in scores[30:]]
    assert found.image.auroc == pytest.approx(np.mean(pairs))
    low, high = found.image.interval("sensitivity")
    assert low <= found.image.confusion.sensitivity <= high


def test_they_keep_the_rate_of_false_alarms_that_slices_by_themselves_break(healthy):
    verdicts = drawn(60, 1, seed=2)
    whole, any_slice = measure_patients(verdicts, healthy, 0.1, 0), measure_groups(verdicts, 1.6, 0)
    assert whole is not None
    assert any_slice is not None
    assert whole.image.false_alarm_rate < 0.2 < any_slice.image.false_alarm_rate


def test_where_the_rule_is_set_for_no_rate_it_is_one_in_twenty(healthy):
    found = measure_patients(drawn(10, 2), healthy, math.nan, 0)
    assert found is not None
    assert found.image.alpha == 0.05


def test_without_patients_in_the_calibration_there_is_nothing_to_compare_with(healthy):
    verdicts = drawn(10, 2)
    assert measure_patients(verdicts, None, 0.1, 0) is None
    assert measure_patients(verdicts, HealthyScores.of(healthy.scores), 0.1, 0) is None
    assert measure_patients(drawn(10, 2, slices=2), healthy, 0.1, 0) is None
    nobody = replace(verdicts, groups=())
    assert measure_patients(nobody, healthy, 0.1, 0) is None
