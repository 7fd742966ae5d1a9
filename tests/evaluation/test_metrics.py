from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from atypia.evaluation.metrics import (
    auroc,
    average_precision,
    confusion,
    dice,
    precision_recall_curve,
    roc_curve,
)

Cases = tuple[np.ndarray, np.ndarray]


@st.composite
def cases(draw: st.DrawFn) -> Cases:
    """Scores with many ties beside labels of both kinds."""
    count = draw(st.integers(2, 60))
    scores = draw(st.lists(st.integers(-8, 8), min_size=count, max_size=count))
    labels = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    labels[0], labels[1] = True, False
    return np.array(scores, dtype=float), np.array(labels)


@given(cases())
def test_areas_agree_with_sklearn(drawn: Cases) -> None:
    scores, labels = drawn
    assert auroc(scores, labels) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    expected = sklearn_metrics.average_precision_score(labels, scores)
    assert average_precision(scores, labels) == pytest.approx(expected)


@given(cases())
def test_curves_agree_with_sklearn(drawn: Cases) -> None:
    scores, labels = drawn
    expected = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(scores, labels), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)
    precision, recall, _ = sklearn_metrics.precision_recall_curve(labels, scores)
    ours_recall, ours_precision, _ = precision_recall_curve(scores, labels)
    np.testing.assert_allclose(ours_recall[::-1], recall)
    np.testing.assert_allclose(ours_precision[::-1], precision)


@given(cases())
def test_areas_are_bounded_and_blind_to_monotone_transforms(drawn: Cases) -> None:
    scores, labels = drawn
    assert 0 <= auroc(scores, labels) <= 1
    assert 0 < average_precision(scores, labels) <= 1
    assert auroc(np.exp(scores) * 3 - 7, labels) == auroc(scores, labels)
    assert average_precision(np.exp(scores), labels) == average_precision(scores, labels)


@given(cases())
def test_turning_the_scores_round_turns_the_auroc_round(drawn: Cases) -> None:
    scores, labels = drawn
    assert auroc(-scores, labels) == pytest.approx(1 - auroc(scores, labels))


@given(cases())
def test_confusion_agrees_with_sklearn(drawn: Cases) -> None:
    scores, labels = drawn
    ours = confusion(scores > 0, labels)
    expected = sklearn_metrics.confusion_matrix(labels, scores > 0, labels=[False, True])
    assert [ours.true_negative, ours.false_positive, ours.false_negative, ours.true_positive] == list(
        expected.ravel()
    )
    assert ours.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, scores > 0))
    assert ours.sensitivity == pytest.approx(sklearn_metrics.recall_score(labels, scores > 0))
    assert ours.normal + ours.abnormal == len(labels)


@pytest.mark.parametrize("labels", [[True, True], [False, False], []])
def test_without_both_kinds_the_areas_are_nan(labels: list[bool]) -> None:
    scores = np.arange(len(labels), dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(auroc(scores, labels))
        assert math.isnan(average_precision(scores, labels))
        roc_curve(scores, labels)
        precision_recall_curve(scores, labels)


def test_rates_without_cases_are_nan() -> None:
    judged = confusion([True, False], [True, True])
    assert math.isnan(judged.specificity)
    assert judged.sensitivity == judged.accuracy == 0.5
    assert math.isnan(confusion([], []).accuracy)


@pytest.mark.parametrize("measure", [auroc, average_precision, roc_curve, precision_recall_curve])
def test_nan_scores_and_unequal_lengths_are_refused(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match="NaN"):
        measure([0.0, math.nan], [True, False])
    with pytest.raises(ValueError, match="as many scores as labels"):
        measure([0.0, 1.0, 2.0], [True, False])


def test_confusion_refuses_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="as many decisions"):
        confusion([True], [True, False])


def test_infinite_scores_are_the_highest() -> None:
    assert auroc([0.0, 1.0, math.inf], [False, False, True]) == 1


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1))
def test_dice_is_symmetric_bounded_and_one_for_equal_masks(first: int, second: int) -> None:
    one, two = (np.array([bits >> place & 1 for place in range(16)], dtype=bool) for bits in (first, second))
    if not (first or second):
        assert math.isnan(dice(one, two))
        return
    assert dice(one, two) == dice(two, one)
    assert 0 <= dice(one, two) <= 1
    assert (dice(one, two) == 1) == (first == second)


def test_dice_refuses_unequal_shapes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dice(np.ones((2, 2)), np.ones((2, 3)))
