from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from atypia.detectors import Batch, FitContext, LesionSimulation, State
from atypia.detectors.canvases import Canvases
from atypia.detectors.depths import depth
from atypia.detectors.healthy_atlas import HealthyAtlas
from atypia.detectors.lesion_examples import LesionExamples, apart_from_their_groups
from atypia.errors import BadOption, CorruptArtefact, TrainingDiverged
from atypia.lesions import LesionSettings

TINY = {"widths": (4, 8), "batch_size": 8, "threads": 1}


@pytest.fixture(scope="module")
def simulation(fitted):
    return fitted("lesion-simulation")


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


@pytest.fixture
def examples(heads_of, tmp_path):
    """`examples(seed)` draws lesions in the same 6 scans."""
    canvases = Canvases(heads_of(6), tmp_path, 2)
    expected = np.ones((6, 2, 56, 56), np.float32)
    return lambda seed=1, level=1: LesionExamples(canvases, level * expected, LesionSettings(), seed)


def test_it_learns_to_find_lesions(simulation):
    losses = [entry["loss"] for entry in simulation.history_]
    assert losses[-1] < 0.95 * losses[0]


def test_the_map_is_evidence_and_never_negative(simulation, twins):
    found = simulation.score(twins[1])
    assert found.map.min() >= 0
    assert found.map.max() < 30
    assert np.allclose(found.image, found.map.max((1, 2)), atol=1)


def test_the_window_of_a_scan_does_not_matter(simulation, twins):
    ill = twins[1]
    bright, dim = simulation.score(ill), simulation.score(Batch(ill.pixels / 2, ill.foreground))
    assert np.allclose(bright.map, dim.map, atol=1e-2)
    assert np.allclose(bright.image, dim.image, atol=1e-2)


def test_a_scan_without_a_brain_is_judged_in_its_head_whatever_it_is_scored_with(simulation, twins):
    pixels, heads = twins[1].pixels[:2], twins[1].foreground[:2]
    brains = twins[1].brain[:2] & np.array([False, True])[:, None, None]
    together = simulation.score(Batch(pixels, heads, brains))
    alone = simulation.score(Batch(pixels[:1], heads[:1], brains[:1]))
    assert together.image[0] == pytest.approx(alone.image[0], abs=1e-4)
    none = simulation.score(Batch(pixels, np.zeros_like(heads), np.zeros_like(heads)))
    assert np.isfinite(none.image).all()
    assert (none.map == 0).all()


def test_without_the_atlas_the_network_alone_is_heard(simulation, twins):
    state = simulation.state()
    settings = {**state.parameters["settings"], "atlas": 0}
    alone = LesionSimulation.from_state(
        State({**state.parameters, "settings": settings}, state.arrays, state.graphs)
    )
    well, ill = (alone.score(batch) for batch in twins)
    assert ill.image.mean() > well.image.mean()
    assert ill.map.max() <= 24
    assert not np.allclose(ill.map, simulation.score(twins[1]).map)


@pytest.mark.parametrize(
    ("size", "reduction", "widths", "side"),
    [
        (224, 2, 4, 112),
        (256, 2, 4, 128),
        (200, 2, 4, 96),
        (100, 2, 4, 48),
        (32, 2, 4, 16),
        (32, 8, 4, 16),
        (225, 1, 4, 224),
        (2048, 2, 4, 1024),
        (64, 2, 2, 32),
    ],
)
def test_the_grid_of_the_network_is_the_nearest_that_it_can_halve(size, reduction, widths, side):
    assert LesionSimulation(reduction=reduction, widths=(4,) * widths)._side(size) == side


def test_canvases_of_any_size_are_learned_and_scored_each_scan_apart_from_its_group(
    draw_heads, healthy, tmp_path, monkeypatch
):
    asked = []
    expect = HealthyAtlas.expect

    def noted(self, batch, apart=None):
        asked.extend(tuple(places.tolist()) for places in apart or ())
        return expect(self, batch, apart)

    monkeypatch.setattr(HealthyAtlas, "expect", noted)
    scans = type(healthy)(*draw_heads(10, size=33))
    groups = ("p1",) * 5 + ("p2",) * 4 + (None,)
    detector = LesionSimulation(steps=1, **TINY).fit(scans, FitContext(tmp_path, groups=groups))
    assert asked == [(0, 1, 2, 3, 4)] * 5 + [(5, 6, 7, 8)] * 4 + [(9,)]
    found = detector.score(scans.batch(np.arange(2)))
    assert found.map.shape == (2, 33, 33)
    assert np.isfinite(found.image).all()


@pytest.mark.parametrize("groups", [(), (None,) * 6, ("a",) * 6, ("a", "a", None, "a", "a", "a")])
def test_without_two_groups_a_scan_is_apart_from_itself_alone(groups):
    apart = apart_from_their_groups(6, groups)
    assert [apart(i).tolist() for i in range(6)] == [[i] for i in range(6)]


def test_a_loss_that_is_no_number_ends_the_training_with_its_epoch(healthy, tmp_path, monkeypatch):
    get = LesionExamples.get

    def spoiled(self, indices, view):
        inputs, truth = get(self, indices, view)
        return [inputs[0] * np.float32(np.nan)], truth

    monkeypatch.setattr(LesionExamples, "get", spoiled)
    with pytest.raises(TrainingDiverged, match=r"no longer a number in epoch 1\..*Nothing was kept"):
        LesionSimulation(steps=2, **TINY).fit(healthy, FitContext(tmp_path))


def test_a_fit_that_ended_early_goes_on_where_it_was(simulation, factories, work_of, healthy, twins):
    context = FitContext(work_of("lesion-simulation"), seed=3, resume=True)
    again = factories["lesion-simulation"]().fit(healthy, context)
    assert again.history_ == simulation.history_
    assert np.allclose(again.score(twins[1]).map, simulation.score(twins[1]).map, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"steps": 0}, "steps of at least 1; received 0"),
        ({"retrieved": 1}, "retrieved of at least 2"),
        ({"reduction": 0}, "reduction of at least 1"),
        ({"atlas": -1}, "atlas of at least 0"),
        ({"smoothing": float("nan")}, "smoothing of at least 0"),
        ({"top": 0}, r"top in \(0, 1\]"),
        ({"learning_rate": 0}, "learning_rate above 0"),
        ({"widths": ()}, "widths above 0"),
        ({"bright": 2}, r"bright in \[0, 1\]"),
        ({"mass": -1}, "mass in"),
        ({"skull": 0.7}, "skull from 0"),
        ({"smallest": 0.5}, r"smallest above 0, at most 0\.\d+; received 0\.5"),
        ({"faintest": 0}, "faintest above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(BadOption, match=told):
        LesionSimulation(**settings)


@pytest.mark.parametrize("change", [{"steps": "many"}, {"colour": 1}, {"top": 2}, {"widths": 3}])
def test_saved_settings_that_make_no_sense_are_corrupt(simulation, change):
    state = simulation.state()
    parameters = {**state.parameters, "settings": {**state.parameters["settings"], **change}}
    with pytest.raises(CorruptArtefact, match="'lesion-simulation' cannot be used"):
        LesionSimulation.from_state(State(parameters, state.arrays, state.graphs))


def test_an_atlas_of_other_shapes_is_corrupt(simulation):
    state = simulation.state()
    for name, values in state.arrays.items():
        with pytest.raises(CorruptArtefact, match="lacks its atlas"):
            LesionSimulation.from_state(
                State(state.parameters, {**state.arrays, name: values[:1]}, state.graphs)
            )


def test_a_batch_of_examples_follows_from_seed_pass_and_scans_alone(examples):
    (seen,), truth = examples(1).get(np.array([4, 0, 2]), 3)
    (again,), same = examples(1).get(np.array([4, 0, 2]), 3)
    assert (seen.shape, seen.dtype) == ((3, 32, 32, 3), np.float32)
    assert (truth.shape, truth.dtype) == ((3, 32, 32, 1), np.float32)
    assert set(np.unique(truth)) <= {0, 1}
    assert np.array_equal(seen, again)
    assert np.array_equal(truth, same)
    for other in (examples(1).get(np.array([4, 0, 2]), 4), examples(2).get(np.array([4, 0, 2]), 3)):
        assert not np.allclose(other[0][0], seen)


def test_the_fingerprint_of_examples_names_what_is_expected_as_well(examples):
    assert examples(1).fingerprint == examples(2).fingerprint
    assert examples(1).fingerprint != examples(1, level=2).fingerprint
    assert len(examples(1)) == 6


def test_depth_is_a_share_of_the_canvas_and_nothing_outside():
    head = np.zeros((20, 20), bool)
    head[5:15, 5:15] = True
    deep = depth(head)
    assert (deep[~head] == 0).all()
    assert deep.max() == pytest.approx(5 / 20)
    assert np.allclose(deep, ndimage.distance_transform_edt(head) / 20)
    assert depth(np.ones((4, 4), bool))[0, 0] == pytest.approx(0.25)
