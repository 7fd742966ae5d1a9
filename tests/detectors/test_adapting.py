"""Encoders that are trained on, without labels, on the healthy scans of a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atypia.detectors import DETECTORS, FitContext, encoded_healthy
from atypia.detectors import adapting as module
from atypia.detectors.adapting import adapted
from atypia.detectors.altered_twins import AlteredTwins
from atypia.detectors.views import Views
from atypia.encoders import Encoder
from atypia.encoders.graph import GraphBuilder
from atypia.errors import BadOption, TrainingDiverged

pytest.importorskip("keras")

ENCODER = "efficientnet-lite0"
ADAPTING = ("gaussian", "nearest", "patchcore")


@pytest.fixture(scope="module")
def views(healthy, tmp_path_factory):
    return Views(healthy, tmp_path_factory.mktemp("views"), copies=0, seed=0)


@pytest.fixture(scope="module")
def encoder():
    """A network of two layers, which is trained in no time."""
    rng, builder = np.random.default_rng(0), GraphBuilder("tiny")
    value, ends = builder.grey_input(scale=1.0, mean=(0.5, 0.5, 0.5)), {}
    for name, inputs, outputs, step in (("fine", 3, 8, 4), ("coarse", 8, 12, 2)):
        kernel = rng.normal(0, np.sqrt(2 / (9 * inputs)), (outputs, inputs, 3, 3))
        value = builder.relu(
            builder.convolution(value, kernel, np.zeros(outputs), stride=step, padding=(1, 0))
        )
        ends[name] = (value, outputs)
    return Encoder("tiny", ("fine", "coarse"), (8, 12), (4, 8), builder.build(ends), threads=1)


@pytest.fixture(scope="module")
def once(encoder, views, tmp_path_factory):
    return adapted(encoder, views, FitContext(tmp_path_factory.mktemp("once"), seed=3), 60)


@pytest.mark.parametrize("name", ADAPTING)
def test_it_is_off_unless_asked_for(fitted, name):
    detector = fitted(name)
    assert detector.adapt == 0
    state = detector.state()
    assert "history" not in state.parameters
    assert state.parameters["encoder"]["name"] == ENCODER


def test_it_learns_to_tell_healthy_scans_apart(encoder, once):
    network, history = once
    assert network.name == "tiny, adapted"
    assert (network.cut, network.strides, network.channels) == (
        encoder.cut,
        encoder.strides,
        encoder.channels,
    )
    assert network.fingerprint != encoder.fingerprint
    losses = [entry["loss"] for entry in history]
    assert len(losses) > 1
    assert losses[-1] < losses[0]


def test_no_steps_change_nothing(encoder, views, tmp_path):
    assert adapted(encoder, views, FitContext(tmp_path), 0) == (encoder, [])
    assert not list(tmp_path.iterdir())


def test_what_stopped_half_way_goes_on_as_it_would_have(encoder, views, once, tmp_path, monkeypatch):
    context, train = FitContext(tmp_path, seed=3), module.train
    monkeypatch.setattr(module, "train", lambda model, examples, plan: train(model, examples, half(plan)))
    adapted(encoder, views, context, 60)
    monkeypatch.setattr(module, "train", train)
    resumed, history = adapted(encoder, views, replace(context, resume=True), 60)
    assert resumed.fingerprint == once[0].fingerprint
    assert [entry["loss"] for entry in history] == [entry["loss"] for entry in once[1]]


def half(plan):
    return replace(plan, epochs=plan.epochs // 2)


def test_another_seed_gives_another_encoder(encoder, views, once, tmp_path):
    other, _ = adapted(encoder, views, FitContext(tmp_path, seed=4), 60)
    assert other.fingerprint != once[0].fingerprint


def test_a_loss_that_is_no_number_is_told(encoder, views, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEARNING_RATE", 1e12)
    with pytest.raises(TrainingDiverged, match="learning rate 1e"):
        adapted(encoder, views, FitContext(tmp_path), 30)


def test_copies_are_drawn_from_seed_pass_and_scan(views):
    twins = AlteredTwins(views, "graph", seed=5)
    (first, second), truth = twins.get(np.array([3, 1]), 2)
    assert first.shape == second.shape == (2, 64, 64)
    assert first.dtype == np.float32
    assert ((first >= 0) & (first <= 1)).all()
    assert len(truth) == 2
    assert np.abs(first - second).max() > 0.05
    (again, _), _ = twins.get(np.array([1]), 2)
    assert np.array_equal(again[0], first[1])
    for other in (twins.get(np.array([1]), 3), AlteredTwins(views, "graph", seed=6).get(np.array([1]), 2)):
        assert not np.array_equal(other[0][0][0], first[1])


@pytest.mark.parametrize("name", ADAPTING)
def test_a_detector_keeps_the_adapted_encoder_and_needs_no_keras_to_score(
    name, encoder, healthy, heads_of, tmp_path, monkeypatch
):
    monkeypatch.setattr(encoded_healthy, "load_encoder", lambda *_, **__: encoder)
    kind = DETECTORS[name]
    plain = kind(ENCODER, components=8, threads=1).fit(healthy, FitContext(tmp_path))
    detector = kind(ENCODER, components=8, threads=1, adapt=6).fit(healthy, FitContext(tmp_path))
    state = detector.state()
    assert state.parameters["settings"]["adapt"] == 6
    assert state.parameters["encoder"]["name"] == "tiny, adapted"
    assert [entry["epoch"] for entry in state.parameters["history"]] == [1]
    monkeypatch.setattr("atypia.keras_backend.available", lambda: False)
    loaded = kind.from_state(state, threads=1)
    batch = heads_of(3, seed=5).batch(np.arange(3))
    assert np.array_equal(loaded.score(batch).image, detector.score(batch).image)
    assert not np.allclose(plain.score(batch).image, detector.score(batch).image)
    assert loaded.state().parameters == state.parameters


@pytest.mark.parametrize("name", ADAPTING)
def test_an_encoder_that_was_converted_cannot_be_adapted(name):
    told = "encoders resnet50 and efficientnet-lite0; received keras:ConvNeXtTiny"
    with pytest.raises(BadOption, match=told):
        DETECTORS[name]("keras:ConvNeXtTiny", adapt=6)


@pytest.mark.parametrize("name", ADAPTING)
def test_steps_below_none_are_refused(name):
    with pytest.raises(BadOption, match="adapt of at least 0 steps; received -1"):
        DETECTORS[name](ENCODER, adapt=-1)
