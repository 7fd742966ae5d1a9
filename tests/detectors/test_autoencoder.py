from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from atypia.detectors import Autoencoder, Batch, FitContext, State
from atypia.encoders.resnet50 import expected_layers
from atypia.errors import BadOption, CorruptArtefact
from atypia.networks.recipe import RECIPES


@pytest.fixture(scope="module")
def unseen(heads_of):
    return heads_of(4, seed=8).batch(np.arange(4))


def test_the_history_tells_the_parts_of_the_loss_for_each_epoch(fitted, tiny):
    history = fitted("autoencoder").history_
    assert [entry["epoch"] for entry in history] == list(range(1, tiny.epochs + 1))
    assert set(history[0]) == {"epoch", "loss", "pixels", "features", "seconds"}
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["pixels"] < history[0]["pixels"]


def test_the_reconstruction_resembles_the_head(fitted, unseen):
    found = fitted("autoencoder").score(unseen).reconstruction
    assert np.mean((found - unseen.pixels) ** 2) < np.mean((unseen.pixels - unseen.pixels.mean()) ** 2)


@pytest.fixture(scope="module")
def refitted(tiny, healthy, heads_of, unseen, tmp_path_factory):
    """One that learned from other heads before, and is told of a labelled set; and its first scores."""
    detector = Autoencoder(replace(tiny, epochs=1, augment=1))
    detector.fit(heads_of(12, seed=5), FitContext(tmp_path_factory.mktemp("first")))
    before = detector.score(unseen).image
    detector.recipe = tiny
    labelled = heads_of(5, seed=6, lesion=0.5)
    return detector.fit(healthy, FitContext(tmp_path_factory.mktemp("second"), 3, labelled=labelled)), before


def test_a_second_fit_forgets_the_first_and_a_labelled_set_chooses_nothing(refitted, fitted, unseen):
    detector, before = refitted
    assert not np.array_equal(detector.score(unseen).image, before)
    assert np.array_equal(detector.score(unseen).image, fitted("autoencoder").score(unseen).image)


def test_a_labelled_set_is_told(refitted):
    assert all(np.isfinite(entry["validation_loss"]) for entry in refitted[0].history_)


def test_the_published_score_is_the_squared_error_over_the_image(healthy, unseen, tmp_path):
    shape = {"code": (8,), "decoder": (8, 8, 8, 4), "epochs": 1}
    recipe = replace(RECIPES["reference"], encoder="efficientnet-lite0", cut=("stage8",), **shape)
    detector = Autoencoder(recipe).fit(healthy, FitContext(tmp_path))
    assert detector.encoder_.cut == ("stage8",)
    scores = detector.score(unseen)
    error = (unseen.pixels - scores.reconstruction) ** 2
    assert np.allclose(scores.image, error.mean(axis=(1, 2)), rtol=1e-4)
    assert (scores.map[~unseen.foreground] > 0).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decoder": (8, 8)}, "grid of 4x4, received 2 stages"),
        ({"decoder": (8,) * 7}, "7 doublings lead to, received 64 pixels"),
        ({"fine_tune": True}, "Only the encoder resnet50 can be fine-tuned; received efficientnet-lite0"),
        ({"cut": ("stage3",)}, "expected different cuts out of stage4"),
        ({"scales": 4}, "between 1 and 3 scales, received 4"),
    ],
)
def test_recipes_that_do_not_fit_are_refused_before_training(tiny, healthy, tmp_path, change, words):
    with pytest.raises(BadOption, match=words):
        Autoencoder(replace(tiny, **change)).fit(healthy, FitContext(tmp_path))
    assert not (tmp_path / "checkpoint.npz").exists()


def test_a_graph_that_is_none_is_corrupt(fitted, unseen):
    state = fitted("autoencoder").state()
    broken = Autoencoder.from_state(State(state.parameters, {}, state.graphs | {"network": b"not a graph"}))
    with pytest.raises(CorruptArtefact, match="not a usable ONNX model"):
        broken.score(unseen)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"teacher": 1}, {"code": "x"}])
def test_a_saved_recipe_that_makes_no_sense_is_corrupt(fitted, change):
    state = fitted("autoencoder").state()
    parameters = state.parameters | {"recipe": state.parameters["recipe"] | change}
    with pytest.raises(CorruptArtefact, match="Not a network recipe"):
        Autoencoder.from_state(State(parameters, {}, state.graphs))


# A training whose process is killed goes on as if nothing had been.

KILLED = """
import pickle, sys
from pathlib import Path
from atypia.detectors import Autoencoder, Batch, FitContext
class Heads:
    def __init__(self, pixels, foreground): self.pixels, self.foreground = pixels, foreground
    def __len__(self): return len(self.pixels)
    def batch(self, indices): return Batch(self.pixels[indices], self.foreground[indices])
work = Path(sys.argv[1])
recipe, pixels, foreground = pickle.loads((work / "given").read_bytes())
Autoencoder(recipe).fit(Heads(pixels, foreground), FitContext(work, seed=3))
"""


@pytest.mark.slow
def test_a_fit_that_was_killed_goes_on_where_it_was(fitted, tiny, healthy, unseen, tmp_path, rng):
    (tmp_path / "given").write_bytes(pickle.dumps((tiny, healthy.pixels, healthy.foreground)))
    checkpoint = tmp_path / "checkpoint.npz"
    words = [sys.executable, "-c", KILLED, tmp_path]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while not checkpoint.exists():
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    resumed = Autoencoder(tiny).fit(healthy, FitContext(tmp_path, seed=3, resume=True))
    whole = fitted("autoencoder")
    assert len(resumed.history_) == tiny.epochs
    for found, expected in zip(resumed.history_, whole.history_, strict=True):
        assert found == pytest.approx(expected | {"seconds": found["seconds"]}, rel=1e-4)
    assert np.allclose(resumed.score(unseen).image, whole.score(unseen).image, rtol=1e-3)


# The encoder trained as well: ResNet50 with made-up weights, up to the end of its first stage.


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file in Keras' layout with small random weights up to conv2."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("weights") / "conv2.h5"
    layers = {
        name: shapes for name, shapes in expected_layers().items() if name.startswith(("conv1", "conv2"))
    }
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, shapes in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in shapes]
            for weight, shape in shapes.items():
                drawn = rng.normal(size=shape) * (
                    np.sqrt(2 / np.prod(shape[:-1])) if weight == "kernel" else 0.1
                )
                positive = weight in ("gamma", "moving_variance")
                group[f"{name}/{weight}"] = (np.abs(drawn) + 0.5 if positive else drawn).astype(np.float32)
    return path


def test_the_encoder_can_be_trained_as_well(weights, healthy, heads_of, tmp_path):
    recipe = replace(
        RECIPES["reference"],
        encoder="resnet50",
        cut=("conv2",),
        fine_tune=True,
        code=(8,),
        decoder=(8, 8, 8),
        epochs=1,
        batch_size=16,
    )
    context = FitContext(tmp_path, seed=1, labelled=heads_of(3, seed=5, lesion=0.5))
    tuned = Autoencoder(recipe, weights=weights).fit(healthy, context)
    assert len(tuned.history_) == 1
    assert all(np.isfinite(entry["loss"] + entry["validation_loss"]) for entry in tuned.history_)
    batch = heads_of(3, seed=8).batch(np.arange(3))
    scores = tuned.score(batch)
    assert np.allclose(
        scores.image, ((batch.pixels - scores.reconstruction) ** 2).mean(axis=(1, 2)), rtol=1e-4
    )
    state = tuned.state()
    assert (set(state.graphs), state.parameters["encoder"]) == ({"network"}, None)
    rebuilt = Autoencoder.from_state(state)
    alone = rebuilt.score(Batch(batch.pixels[:1], batch.foreground[:1]))
    assert alone.image[0] == pytest.approx(scores.image[0], rel=1e-4)
