from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import combine_pvalues, norm

from atypia.detectors import Asymmetry, Atlas, Batch, Ensemble, FitContext, Intensity, State
from atypia.detectors.base import Scores
from atypia.detectors.ensemble import OF_SCORES, RULES, combined
from atypia.detectors.nearest import Nearest
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans

normal_scores = arrays(np.float64, st.tuples(st.integers(2, 5), st.just(4)), elements=st.floats(-4, 4))


def light(rule="stouffer", **settings):
    return Ensemble([Atlas(retrieved=8), Intensity()], rule, **settings)


def ruled(ensemble, rule):
    """The same ensemble, combining by another rule."""
    state = ensemble.state()
    parameters = {**state.parameters, "settings": {**state.parameters["settings"], "rule": rule}}
    return Ensemble.from_state(State(parameters, state.arrays, state.graphs))


@pytest.fixture(scope="module")
def ensemble(fitted):
    return fitted("ensemble")


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


@given(normal=normal_scores)
@settings(deadline=None)
def test_stouffer_and_fisher_are_those_of_scipy(normal):
    for rule in ("stouffer", "fisher"):
        expected = [combine_pvalues(norm.sf(scores), method=rule).statistic for scores in normal.T]
        assert np.allclose(combined(normal, rule), expected, atol=1e-6)


@given(normal=normal_scores)
@settings(deadline=None)
def test_harmonic_and_highest_are_what_they_are_called(normal):
    p_values = norm.sf(normal)
    mean = len(normal) / (1 / p_values).sum(axis=0)
    assert np.allclose(combined(normal, "harmonic"), -np.log(mean))
    assert np.array_equal(combined(normal, "max"), normal.max(axis=0))


@given(normal=normal_scores, member=st.integers(0, 1), more=st.floats(0, 3))
@settings(deadline=None)
def test_no_rule_falls_where_a_member_rises(normal, member, more):
    higher = normal.copy()
    higher[member] += more
    for rule in OF_SCORES:
        assert (combined(higher, rule) >= combined(normal, rule) - 1e-9).all()


@pytest.mark.parametrize("rule", OF_SCORES)
def test_scores_far_outside_stay_numbers(rule):
    far = combined(np.array([[1e4, 0.0, -1e4], [1e4, 1e4, -1e4]]), rule)
    assert np.isfinite(far).all()
    assert far[0] >= far[1] > far[2]


def test_weights_and_trials_come_from_simulated_lesions(ensemble):
    assert ensemble.weights_.sum() == pytest.approx(1)
    assert (ensemble.weights_ >= 0).all()
    precisions = np.array([trial.precision for trial in ensemble.trials_])
    assert np.allclose(ensemble.weights_, precisions / precisions.sum())
    assert all(0 <= trial.auroc <= 1 and 0 <= trial.precision <= 1 for trial in ensemble.trials_)


def test_healthy_scans_score_about_like_a_normal_distribution(ensemble, heads_of):
    scores = ruled(ensemble, "stouffer").score(heads_of(60, seed=5).batch(np.arange(60))).image
    assert abs(np.median(scores)) < 1
    assert 0.4 < scores.std() < 2.5


def test_the_state_is_that_of_its_members_and_makes_them_anew(ensemble, twins):
    state = ensemble.state()
    assert {name.partition(".")[0] for name in (*state.arrays, *state.graphs)} == {
        "0",
        "1",
        "joint0",
        "joint1",
    }
    told = json.loads(json.dumps(state.parameters))
    again = Ensemble.from_state(State(told, state.arrays, state.graphs))
    assert [type(member) for member in again.members] == [Atlas, Nearest]
    assert again.trials_ == ensemble.trials_
    assert np.array_equal(again.weights_, ensemble.weights_)
    assert again.state().arrays.keys() == state.arrays.keys()
    assert all(np.array_equal(again.state().arrays[name], state.arrays[name]) for name in state.arrays)
    assert np.array_equal(again.score(twins[1]).map, ensemble.score(twins[1]).map)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_lesions_and_keeps_the_map(ensemble, twins, rule):
    other = ruled(ensemble, rule)
    well, ill = (other.score(batch) for batch in twins)
    assert (ill.image > well.image).mean() > 0.6
    assert np.array_equal(ill.map, ensemble.score(twins[1]).map)


class Pointing(Intensity):
    """Finds a little everywhere, and one place where `rows` say so."""

    rows = slice(0, 0)

    def score(self, batch):
        rng = np.random.default_rng(int(batch.pixels.sum() * 100) % 1000)
        heat = rng.uniform(0, 0.1, batch.pixels.shape).astype(np.float32)
        heat[:, self.rows, 28:36] = 0.2
        return Scores(np.ones(len(heat)), heat * batch.foreground)


def test_two_that_find_one_place_count_for_more_than_two_that_find_two(healthy, heads_of, tmp_path):
    batch, scores = heads_of(4, seed=3).batch(np.arange(4)), {}
    members = Pointing(), Pointing()
    ensemble = Ensemble(members).fit(healthy, FitContext(tmp_path))
    members[0].rows = slice(24, 32)
    for start in (24, 40):
        members[1].rows = slice(start, start + 8)
        scores[start] = ensemble.score(batch).image
    assert (scores[24] > scores[40] + 1).all()
    assert (scores[40] > 1).all()


def test_the_score_by_map_is_the_most_unusual_share_of_the_most_surprising_pixels(ensemble, twins):
    ill = twins[1]
    surprise = [
        scale(m.score(ill).map) for scale, m in zip(ensemble.map_scales_, ensemble.members, strict=True)
    ]
    mean = np.mean(surprise, axis=0)
    for place, score in enumerate(ensemble.score(ill).image):
        inside = np.sort(mean[place][ill.brain[place]])
        expected = [
            scale(np.array([inside[-max(1, round(top * len(inside))) :].mean()]))[0]
            for top, scale in zip(ensemble.tops, ensemble.joint_scales_, strict=True)
        ]
        assert score == pytest.approx(max(expected), rel=1e-4)


class Remembering(Intensity):
    """Notes what it learns from; its scores are all the same where it is told so."""

    constant: float | None = None

    def with_threads(self, _threads):
        return self  # what it notes is not in its state

    def fit(self, healthy, context):
        self.seen = [healthy.batch(np.array([i])).pixels[0].tobytes() for i in range(len(healthy))]
        self.context = context
        return super().fit(healthy, context)

    def score(self, batch):
        found = super().score(batch)
        if self.constant is None:
            return found
        return Scores(np.full(len(batch), self.constant), np.zeros_like(found.map))


def test_members_learn_from_whole_groups_and_each_in_a_folder_of_its_own(healthy, tmp_path):
    members = [Remembering(), Remembering()]
    groups = tuple(f"p{i // 4}" for i in range(32))
    Ensemble(members, aside=0.25).fit(healthy, FitContext(tmp_path, seed=1, groups=groups, resume=True))
    everything = [pixels.tobytes() for pixels in healthy.pixels]
    learned = [everything.index(scan) for scan in members[0].seen]
    assert len(learned) == 24
    assert {learned.count(i) for i in learned} == {1}
    assert all(sum(groups[i] == name for i in learned) in (0, 4) for name in set(groups))
    assert members[0].context.groups == tuple(groups[i] for i in learned)
    assert members[0].context.resume
    assert [m.context.work.relative_to(tmp_path).as_posix() for m in members] == [
        "0-intensity",
        "1-intensity",
    ]


def test_a_member_whose_scores_are_all_the_same_spoils_nothing(healthy, twins, tmp_path):
    silent = Remembering()
    silent.constant = 3.0
    together = Ensemble([Intensity(), silent], "stouffer").fit(healthy, FitContext(tmp_path, seed=1))
    well, ill = (together.score(batch) for batch in twins)
    assert np.isfinite([well.image, ill.image]).all()
    assert np.isfinite([well.map, ill.map]).all()
    alone = Intensity().fit(healthy, FitContext(tmp_path)).score(twins[1]).image
    assert np.array_equal(np.argsort(ill.image), np.argsort(alone))
    assert together.weights_[0] > together.weights_[1]
    silent.constant = 4.0
    assert np.allclose(together.score(twins[1]).image - ill.image, 1 / np.sqrt(2))


def test_where_no_member_finds_anything_all_count_alike(healthy, tmp_path, monkeypatch):
    from atypia.detectors import ensemble
    from atypia.detectors.member_trial import Trial

    monkeypatch.setattr(ensemble, "try_members", lambda members, *_: [Trial(0.5, 0.0)] * len(members))
    assert light().fit(healthy, FitContext(tmp_path)).weights_.tolist() == [0.5, 0.5]


def test_scans_without_a_brain_get_numbers(healthy, twins, tmp_path):
    fitted = light().fit(healthy, FitContext(tmp_path))
    none = np.zeros_like(twins[0].foreground)
    scores = fitted.score(Batch(twins[0].pixels, none, none))
    assert np.isfinite(scores.image).all()
    assert (scores.map == 0).all()


def test_the_picture_shown_is_that_of_the_first_member_with_one(healthy, twins, tmp_path):
    picture = np.full(twins[0].pixels.shape, 0.5, np.float32)

    class Drawing(Intensity):
        def score(self, batch):
            found = super().score(batch)
            return Scores(found.image, found.map, picture[: len(batch)])

    fitted = Ensemble([Intensity(), Drawing()])
    assert light().fit(healthy, FitContext(tmp_path)).score(twins[0]).reconstruction is None
    told = fitted.fit(healthy, FitContext(tmp_path)).score(twins[0]).reconstruction
    assert np.array_equal(told, picture)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rule": "best"}, "rule out of map, stouffer, fisher, harmonic, max; received 'best'"),
        ({"aside": 0}, "aside between 0 and 1; received 0"),
        ({"aside": 1.0}, "aside between 0 and 1"),
        ({"tops": (0.1, 0)}, r"tops above 0, at most 1; received \(0.1, 0\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(BadOption, match=told):
        Ensemble([Intensity(), Asymmetry()], **settings)


def test_one_member_is_none_and_too_few_scans_are_refused(healthy, heads_of, tmp_path):
    with pytest.raises(BadOption, match="two members or more in an ensemble; received 1"):
        Ensemble([Intensity()]).fit(healthy, FitContext(tmp_path))
    with pytest.raises(NotEnoughScans, match="'ensemble' needs at least 20 healthy scans, received 19"):
        light().fit(heads_of(19), FitContext(tmp_path))
    with pytest.raises(NotEnoughScans, match=r"'atlas' needs at least 10 .*received 4"):
        light(aside=0.8).fit(heads_of(20), FitContext(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"settings": "none"},
        {"settings": {"rule": "best", "aside": 0.2, "tops": [0.1]}},
        {"members": [{"name": "nobody", "parameters": {}}]},
        {"members": ["atlas", "nearest"]},
        {"trials": [{"auroc": 1}]},
        {"weights": [1.0]},
        {"weights": ["much", "little"]},
    ],
)
def test_saved_parts_that_make_no_sense_are_corrupt(ensemble, change):
    state = ensemble.state()
    with pytest.raises(CorruptArtefact, match="'ensemble' cannot be used"):
        Ensemble.from_state(State({**state.parameters, **change}, state.arrays, state.graphs))
