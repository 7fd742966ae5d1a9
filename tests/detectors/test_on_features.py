"""What the two detectors that rebuild an encoder's features promise beyond the common contract."""

from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import FeatureAutoencoder, FitContext, ReverseDistillation
from atypia.errors import BadOption

ENCODER = "efficientnet-lite0"
TINY = {"steps": 4, "batch_size": 8, "augment": 0, "threads": 1}


@pytest.mark.parametrize("name", ["feature-autoencoder", "reverse-distillation"])
def test_it_learns_and_keeps_its_encoder(fitted, name):
    detector = fitted(name)
    losses = [entry["loss"] for entry in detector.history_]
    assert losses[-1] < losses[0]
    state = detector.state()
    assert set(state.graphs) == {"network", "encoder"}
    assert state.parameters["encoder"]["cut"] == ["stage8", "stage16"]


def test_maps_are_cosine_distances_of_all_layers(fitted, heads_of):
    noise = np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)
    batch = heads_of(3).batch(np.arange(3))
    scores = fitted("reverse-distillation").score(type(batch)(noise, batch.foreground))
    assert ((scores.map >= -1e-5) & (scores.map <= 4 + 1e-5)).all()


def test_features_as_they_are_can_be_rebuilt_too(healthy, heads_of, tmp_path):
    detector = ReverseDistillation(ENCODER, whiten=0, width=4, **TINY).fit(healthy, FitContext(tmp_path))
    assert np.isfinite(detector.score(heads_of(2, seed=4).batch(np.arange(2))).image).all()


def test_the_other_loss(healthy, heads_of, tmp_path):
    detector = FeatureAutoencoder(ENCODER, whiten=4, widths=(4,), loss="cosine", **TINY)
    scores = detector.fit(healthy, FitContext(tmp_path)).score(heads_of(2, seed=4).batch(np.arange(2)))
    assert ((scores.map >= -1e-5) & (scores.map <= 2 + 1e-5)).all()


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (FeatureAutoencoder, {"loss": "huber"}, "loss out of ssim, cosine; received 'huber'"),
        (FeatureAutoencoder, {"widths": (0,)}, "widths above 0"),
        (FeatureAutoencoder, {"smoothing": -1}, "smoothing of at least 0"),
        (ReverseDistillation, {"width": 0}, "width of at least 1"),
        (ReverseDistillation, {"whiten": -1}, "whiten of at least 0"),
        (ReverseDistillation, {"learning_rate": 0}, "learning_rate above 0"),
        (ReverseDistillation, {"top": 1.5}, r"top in \(0, 1\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, settings, words):
    with pytest.raises(BadOption, match=words):
        make(ENCODER, **settings)
