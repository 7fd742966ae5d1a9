from __future__ import annotations

import shutil

import numpy as np
import pytest

from atypia.detectors import Denoising, FitContext, State
from atypia.errors import BadOption, CorruptArtefact

TINY = {"widths": (4, 8), "batch_size": 8, "threads": 1}


@pytest.fixture(scope="module")
def denoising(fitted):
    return fitted("denoising")


@pytest.fixture(scope="module")
def pair(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


def test_it_learns_to_take_noise_away(denoising):
    losses = [entry["loss"] for entry in denoising.history_]
    assert losses[-1] < 0.8 * losses[0]


def test_what_it_expects_is_nearer_to_the_healthy_twin_than_the_scan_is(denoising, pair):
    well, ill = pair
    healed = denoising.score(ill).reconstruction
    lesion = np.abs(ill.pixels - well.pixels) > 0.1
    assert np.abs(healed - well.pixels)[lesion].mean() < np.abs(ill.pixels - well.pixels)[lesion].mean()
    assert np.array_equal(healed[~ill.foreground], ill.pixels[~ill.foreground])


def test_map_and_score_are_in_units_of_the_brain_s_median(denoising, pair):
    """A scan that is half as bright has the same map: the window is no sign of illness."""
    ill = pair[1]
    dim = type(ill)(ill.pixels / 2, ill.foreground)
    bright, dark = denoising.score(ill), denoising.score(dim)
    assert np.allclose(bright.map, dark.map, atol=1e-4)
    assert np.allclose(bright.image, dark.image, atol=1e-4)


def test_the_median_filter_takes_out_points(denoising, pair):
    state = denoising.state()
    settings = {**state.parameters["settings"], "median": 5}
    filtered = Denoising.from_state(State({**state.parameters, "settings": settings}, {}, state.graphs))
    plain, calm = denoising.score(pair[1]).map, filtered.score(pair[1]).map
    assert calm.max() < plain.max()
    assert not np.array_equal(calm, plain)


def test_a_fit_that_ended_early_goes_on_where_it_was(denoising, factories, work_of, healthy, pair, capsys):
    """The checkpoint of one that is fitted already makes the next fit read, not train."""
    context = FitContext(work_of("denoising"), seed=3, resume=True)
    capsys.readouterr()
    again = factories["denoising"]().fit(healthy, context)
    assert again.history_ == denoising.history_
    assert np.allclose(again.score(pair[1]).map, denoising.score(pair[1]).map, atol=1e-6)
    assert "of another training" not in capsys.readouterr().err


@pytest.mark.usefixtures("denoising")
def test_the_checkpoint_of_other_settings_is_not_used(work_of, healthy, tmp_path, capsys):
    shutil.copy(work_of("denoising") / "checkpoint.npz", tmp_path)
    capsys.readouterr()
    Denoising(steps=1, **TINY).fit(healthy, FitContext(tmp_path, seed=3, resume=True))
    assert "of another training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noise": -1}, "noise of at least 0; received -1"),
        ({"cells": 1}, "cells of at least 2"),
        ({"steps": 0}, "steps of at least 1"),
        ({"reduction": 0}, "reduction of at least 1"),
        ({"median": -1}, "median of at least 0"),
        ({"top": 0}, r"top in \(0, 1\]"),
        ({"learning_rate": 0}, "learning_rate above 0"),
        ({"widths": ()}, "widths above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(BadOption, match=words):
        Denoising(**settings)


def test_scans_that_the_network_cannot_halve_so_often_are_refused(healthy, tmp_path):
    with pytest.raises(BadOption, match="multiples of 64, received 32x32"):
        Denoising(widths=(4,) * 6).fit(healthy, FitContext(tmp_path))


@pytest.mark.parametrize("change", [{"steps": "many"}, {"colour": 1}, {"top": 2}, {"widths": 3}])
def test_saved_settings_that_make_no_sense_are_corrupt(denoising, change):
    state = denoising.state()
    parameters = {**state.parameters, "settings": {**state.parameters["settings"], **change}}
    with pytest.raises(CorruptArtefact, match="'denoising' cannot be used"):
        Denoising.from_state(State(parameters, {}, state.graphs))


def test_a_graph_that_is_none_is_corrupt(denoising, pair):
    broken = Denoising.from_state(State(denoising.state().parameters, {}, {"network": b"not a graph"}))
    with pytest.raises(CorruptArtefact, match="not a usable ONNX model"):
        broken.score(pair[0])
