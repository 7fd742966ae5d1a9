from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Batch, Intensity, State
from atypia.errors import BadOption, CorruptArtefact


@pytest.fixture(scope="module")
def intensity(fitted):
    return fitted("intensity")


def test_the_score_is_a_percentile_inside_the_brain_of_tissue():
    pixels = np.full((1, 16, 16), 0.4, np.float32)
    pixels[0, 4:6, 4:6] = 0.8
    brain = np.zeros((1, 16, 16), bool)
    brain[0, 3:9, 3:9] = True
    everywhere = np.ones_like(brain)
    state = State({"settings": {"smoothing": 0.0, "percent": 100.0}})
    highest = Intensity.from_state(state).score(Batch(pixels, everywhere, brain))
    assert highest.image[0] == pytest.approx(2)
    assert (highest.map[~brain] == 0).all()
    assert highest.map[0, 4, 4] == pytest.approx(2)
    middle = Intensity.from_state(State({"settings": {"smoothing": 0.0, "percent": 50.0}}))
    assert middle.score(Batch(pixels, everywhere, brain)).image[0] == pytest.approx(1)


def test_the_window_of_a_scan_does_not_matter(intensity, heads_of):
    batch = heads_of(4, seed=9, lesion=0.5).batch(np.arange(4))
    bright, dim = intensity.score(batch), intensity.score(Batch(batch.pixels / 2, batch.foreground))
    assert np.allclose(bright.image, dim.image, atol=1e-5)


def test_scans_without_a_brain_are_judged_on_all_there_is(intensity, heads_of):
    batch = heads_of(2).batch(np.arange(2))
    scores = intensity.score(Batch(batch.pixels, batch.foreground, np.zeros_like(batch.foreground)))
    assert np.isfinite(scores.image).all()
    assert (scores.map == 0).all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"smoothing": -1}, "smoothing of at least 0; received -1"),
        ({"smoothing": float("nan")}, "smoothing"),
        ({"percent": 101}, "percent from 0 to 100; received 101"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(BadOption, match=told):
        Intensity(**settings)


@pytest.mark.parametrize("settings", [{"percent": "high"}, {"colour": 1}, "none", None])
def test_saved_settings_that_make_no_sense_are_corrupt(settings):
    with pytest.raises(CorruptArtefact, match="'intensity' cannot be used"):
        Intensity.from_state(State({"settings": settings}))
