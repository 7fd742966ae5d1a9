from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Batch, FitContext, Nearest, State
from atypia.errors import BadOption, CorruptArtefact

ENCODER = "efficientnet-lite0"


@pytest.fixture
def nearest(fitted):
    return fitted("nearest")


@pytest.fixture(scope="module")
def everything(healthy):
    return healthy.batch(np.arange(len(healthy)))


def test_scores_are_cosine_distances(nearest):
    noise = np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)
    for pixels in (noise, np.zeros_like(noise), np.ones_like(noise)):
        scores = nearest.score(Batch(pixels, np.ones(pixels.shape, bool)))
        assert ((scores.image >= 0) & (scores.image <= 2)).all()
        assert ((scores.map >= -1e-5) & (scores.map <= 2)).all()


def test_to_its_one_neighbour_a_scan_of_the_bank_is_near_and_another_far(
    healthy, everything, heads_of, tmp_path
):
    detector = Nearest(ENCODER, components=16, neighbours=1, retrieved=1, reach=0)
    known = detector.fit(healthy, FitContext(tmp_path)).score(everything)
    assert np.allclose(known.image, 0, atol=2e-3)
    assert detector.score(heads_of(5, seed=9).batch(np.arange(5))).image.min() > 0.2


def test_the_bank_is_bounded_and_drawn_by_the_seed(healthy, tmp_path):
    banks = []
    for seed in (1, 1, 2):
        detector = Nearest(ENCODER, components=16, bank=12).fit(healthy, FitContext(tmp_path, seed))
        banks.append(detector.state().arrays["cells"])
    assert [len(bank) for bank in banks] == [12] * 3
    assert np.array_equal(banks[0], banks[1])
    assert not np.array_equal(banks[0], banks[2])


def test_more_neighbours_than_there_are_scans_are_all_of_them(healthy, everything, tmp_path):
    detector = Nearest(ENCODER, components=16, neighbours=500, retrieved=500).fit(
        healthy, FitContext(tmp_path)
    )
    assert np.isfinite(detector.score(everything).image).all()


def test_a_scan_without_a_head_is_judged_on_all_of_it(nearest, everything):
    pixels = everything.pixels[:2]
    bare = nearest.score(Batch(pixels, np.zeros(pixels.shape, bool)))
    whole = nearest.score(Batch(pixels, np.ones(pixels.shape, bool)))
    assert np.allclose(bare.image, whole.image)
    assert (bare.map == 0).all()


def test_the_state_holds_all_settings(nearest):
    settings = nearest.state().parameters["settings"]
    assert settings == {
        "neighbours": 5,
        "retrieved": 40,
        "components": 16,
        "reach": 2,
        "top": 0.03,
        "bank": 2000,
        "window": 3,
        "adapt": 0,
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"neighbours": 0}, "neighbours of at least 1; received 0"),
        ({"retrieved": 0}, "retrieved of at least 1"),
        ({"components": -1}, "components of at least 1"),
        ({"reach": -1}, "reach of at least 0"),
        ({"bank": 9}, "bank of at least 10; received 9"),
        ({"top": 0}, r"top in \(0, 1\]; received 0"),
        ({"window": 2}, "an odd window; received 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(BadOption, match=words):
        Nearest(ENCODER, **settings)


@pytest.mark.parametrize("settings", [{"colour": "red"}, {"neighbours": 0}, {"neighbours": "many"}])
def test_saved_settings_that_make_no_sense_are_corrupt(nearest, settings):
    state = nearest.state()
    parameters = state.parameters | {"settings": state.parameters["settings"] | settings}
    with pytest.raises(CorruptArtefact, match="'nearest' cannot be used"):
        Nearest.from_state(State(parameters, state.arrays, state.graphs))


def test_one_saved_before_there_was_a_window_averages_nothing(nearest, everything):
    state = nearest.state()
    settings = {key: value for key, value in state.parameters["settings"].items() if key != "window"}
    old = Nearest.from_state(State(state.parameters | {"settings": settings}, state.arrays, state.graphs))
    assert old.window == 1
    heat = [
        detector.score(Batch(everything.pixels[:2], everything.foreground[:2])).map
        for detector in (old, nearest)
    ]
    assert not np.allclose(*heat)
