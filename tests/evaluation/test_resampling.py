from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from atypia.evaluation.resampling import GroupBootstrap
from atypia.evaluation.weighted import FALSE_ALARMS, Ranking, sensitivity_name


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[str | None], np.ndarray, np.ndarray]:
    """Groups that are pure or mixed, or missing, with labels of both kinds and scores with ties."""
    count = draw(st.integers(4, 40))
    groups = draw(st.lists(st.sampled_from([*"abcdefg", None]), min_size=count, max_size=count))
    labels = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    labels[:2] = True, False
    scores = np.array(draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count)), dtype=float)
    return groups, labels, scores


@given(grouped())
@settings(deadline=None)
def test_no_resample_lacks_a_label_and_groups_stay_whole(drawn: tuple) -> None:
    groups, labels, _ = drawn
    bootstrap = GroupBootstrap.of(groups, labels, resamples=30)
    weights = np.concatenate(list(bootstrap.weights()))
    assert weights.shape == (30, len(groups))
    assert (weights[:, labels].sum(axis=1) > 0).all()
    assert (weights[:, ~labels].sum(axis=1) > 0).all()
    for code in range(bootstrap.groups):
        members = weights[:, bootstrap.codes == code]
        assert (members == members[:, :1]).all()
    counts = np.concatenate(list(bootstrap.group_weights()))
    assert (counts.sum(axis=1) == bootstrap.groups).all()


@given(grouped(), st.integers(0, 99))
@settings(deadline=None)
def test_weighted_figures_are_those_of_the_repeated_scans(drawn: tuple, seed: int) -> None:
    """A plain loop over resamples, each with its scans repeated, measured by scikit-learn."""
    groups, labels, scores = drawn
    bootstrap = GroupBootstrap.of(groups, labels, resamples=4, seed=seed)
    weights = np.concatenate(list(bootstrap.weights()))
    found = bootstrap.sample(Ranking.of(scores, labels).figures).values
    for place, weight in enumerate(weights):
        repeated = np.repeat(np.arange(len(labels)), weight.astype(int))
        truth, values = labels[repeated], scores[repeated]
        assert found["auroc"][place] == pytest.approx(roc_auc_score(truth, values))
        assert found["average_precision"][place] == pytest.approx(average_precision_score(truth, values))
        false, right, _ = roc_curve(truth, values, drop_intermediate=False)
        for rate in FALSE_ALARMS:
            expected = right[false <= rate + 1e-12].max()
            assert found[sensitivity_name(rate)][place] == pytest.approx(expected)


def test_weights_do_not_depend_on_the_order_of_scans(rng: np.random.Generator) -> None:
    groups = [f"g{place % 9}" for place in range(40)]
    labels, scores = rng.random(40) < 0.5, rng.normal(size=40)
    order = rng.permutation(40)
    first = GroupBootstrap.of(groups, labels, resamples=50).sample(Ranking.of(scores, labels).figures)
    turned = GroupBootstrap.of([groups[n] for n in order], labels[order], resamples=50)
    second = turned.sample(Ranking.of(scores[order], labels[order]).figures)
    assert first.interval("auroc") == second.interval("auroc")


def test_the_interval_is_that_of_scipy_where_each_scan_is_its_own_group(rng: np.random.Generator) -> None:
    normal, abnormal = rng.normal(size=60), rng.normal(loc=1.2, size=50)
    labels = np.arange(110) >= 60
    scores = np.concatenate([normal, abnormal])
    ours = GroupBootstrap.of([None] * 110, labels, resamples=4000).sample(Ranking.of(scores, labels).figures)

    def area(low: np.ndarray, high: np.ndarray) -> float:
        return float((high[:, None] > low[None]).mean())

    theirs = stats.bootstrap(
        (normal, abnormal), area, n_resamples=4000, vectorized=False, method="percentile"
    )
    expected = theirs.confidence_interval
    assert ours.interval("auroc") == pytest.approx((expected.low, expected.high), abs=0.006)


def test_slices_of_one_patient_make_an_interval_wider(rng: np.random.Generator) -> None:
    """Each patient shifts all ten slices: there are 20 patients, not 200 scans."""
    shift = np.repeat(rng.normal(size=20), 10)
    labels = np.repeat(np.arange(20) >= 10, 10)
    scores = labels + 2 * shift + 0.1 * rng.normal(size=200)
    ranking = Ranking.of(scores, labels)
    patients = [str(place // 10) for place in range(200)]
    wide = GroupBootstrap.of(patients, labels).sample(ranking.figures).interval("auroc")
    narrow = GroupBootstrap.of([None] * 200, labels).sample(ranking.figures).interval("auroc")
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_an_interval_holds_the_truth_about_as_often_as_it_says(rng: np.random.Generator) -> None:
    truth, held = 0.7602499389065233, 0  # of two unit normals one standard deviation apart
    for _ in range(150):
        labels = np.arange(120) >= 60
        scores = rng.normal(size=120) + labels
        drawn = GroupBootstrap.of([None] * 120, labels, resamples=300)
        low, high = drawn.sample(Ranking.of(scores, labels).figures).interval("auroc")
        held += low <= truth <= high
    assert 0.89 <= held / 150 <= 0.99


def test_too_few_groups_have_no_interval() -> None:
    labels = np.array([True, True, False, False])
    ranking = Ranking.of(np.arange(4.0), labels)
    one = GroupBootstrap.of(["a"] * 4, labels).sample(ranking.figures)
    assert all(math.isnan(end) for end in one.interval("auroc"))
    lone = GroupBootstrap.of(["a", "a", "b", "c"], labels).sample(ranking.figures)
    assert math.isnan(lone.interval("auroc")[0])
    assert math.isnan(lone.interval("auroc", needs="abnormal")[0])
    assert math.isfinite(lone.interval("auroc", needs="normal")[0])
    assert math.isnan(lone.interval("auroc", needs="any")[0])


def test_undefined_resamples_are_left_out_and_counted() -> None:
    labels = np.array([True, False] * 4)

    def odd(weights: np.ndarray) -> dict[str, np.ndarray]:
        values = weights[:, 0].astype(float)
        return {"some": np.where(values > 0, values, np.nan), "none": np.full(len(values), np.nan)}

    sampled = GroupBootstrap.of([None] * 8, labels, resamples=400).sample(odd)
    assert sampled.degenerate() == {"some": int(np.isnan(sampled.values["some"]).sum())}
    assert 50 < sampled.degenerate()["some"] < 200
    assert sampled.interval("some")[0] >= 1
    assert math.isnan(sampled.interval("none")[0])
