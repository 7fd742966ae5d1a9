from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Batch, FitContext, Gaussian, State
from atypia.errors import BadOption, CorruptArtefact

ENCODER = "efficientnet-lite0"


@pytest.fixture
def gaussian(fitted):
    return fitted("gaussian")


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


def test_healthy_scans_are_about_one_deviation_away(gaussian, healthy):
    scores = gaussian.score(healthy.batch(np.arange(len(healthy))))
    head = healthy.foreground
    assert 0.5 < scores.map[head].mean() < 1.5
    assert ((scores.image > 0.5) & (scores.image < 2.5)).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "whole"},
        {"image": "both"},
        {"spread": 0, "reach": 0},
        {"scales": 1},
        {"scales": 3, "reach": 2},
    ],
)
def test_every_option_finds_lesions_and_is_saved(healthy, twins, tmp_path, settings):
    detector = Gaussian(ENCODER, components=16, threads=1, **settings).fit(healthy, FitContext(tmp_path))
    well, ill = (detector.score(batch) for batch in twins)
    assert ill.image.mean() > well.image.mean()
    again = Gaussian.from_state(detector.state())
    assert np.array_equal(again.score(twins[1]).image, ill.image)
    assert np.array_equal(again.score(twins[1]).map, ill.map)


def test_both_is_the_mean_of_the_two(healthy, twins, tmp_path):
    local, whole, both = (
        Gaussian(ENCODER, components=8, image=kind).fit(healthy, FitContext(tmp_path)).score(twins[1]).image
        for kind in ("local", "whole", "both")
    )
    assert np.allclose(both, (local + whole) / 2)


def test_its_memory_does_not_grow_with_the_scans(heads_of, tmp_path):
    sizes = []
    for count in (12, 30):
        detector = Gaussian(ENCODER, components=8, scales=1).fit(heads_of(count), FitContext(tmp_path))
        arrays = detector.state().arrays
        sizes.append(sum(a.nbytes for name, a in arrays.items() if not name.startswith("whole")))
        assert all(arrays[f"whole0_{part}"].shape[-1] < count for part in ("directions", "weights"))
    assert sizes[0] == sizes[1]


def test_a_scan_without_a_head_is_judged_on_all_of_it(gaussian, healthy):
    pixels = healthy.pixels[:2]
    bare = gaussian.score(Batch(pixels, np.zeros(pixels.shape, bool)))
    whole = gaussian.score(Batch(pixels, np.ones(pixels.shape, bool)))
    assert np.allclose(bare.image, whole.image)
    assert (bare.map == 0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scales": 0}, "scales of at least 1; received 0"),
        ({"components": 0}, "components of at least 1"),
        ({"spread": -1}, "spread of at least 0"),
        ({"reach": -1}, "reach of at least 0; received -1"),
        ({"top": 0}, r"top in \(0, 1\]; received 0"),
        ({"image": "all"}, "image local, whole or both; received all"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(BadOption, match=words):
        Gaussian(ENCODER, **settings)


@pytest.mark.parametrize("settings", [{"colour": "red"}, {"top": 0}, {"reach": "far"}])
def test_saved_settings_that_make_no_sense_are_corrupt(gaussian, settings):
    state = gaussian.state()
    parameters = state.parameters | {"settings": state.parameters["settings"] | settings}
    with pytest.raises(CorruptArtefact, match="'gaussian' cannot be used"):
        Gaussian.from_state(State(parameters, state.arrays, state.graphs))
