from __future__ import annotations

import numpy as np
import pytest

from atypia.keras_backend import keras
from atypia.networks.normalisation import batch_normalisation

MOMENTUM = 0.9


@pytest.fixture
def pair():
    """Ours and Keras' own, with the same weights, that no two channels share."""
    rng = np.random.default_rng(3)
    ours, theirs = batch_normalisation(MOMENTUM), keras().layers.BatchNormalization(momentum=MOMENTUM)
    for layer in (ours, theirs):
        layer.build((None, 6, 5, 3))
    weights = [rng.random(3).astype(np.float32) + 0.5 for _ in range(4)]
    for layer in (ours, theirs):
        layer.set_weights(weights)
    return ours, theirs


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (1, 6, 5, 3), (1, 1, 1, 3)])
def test_it_is_keras_own_but_for_rounding(pair, shape, rng):
    pictures = rng.normal(2, 3, shape).astype(np.float32)
    found, expected = (np.asarray(layer(pictures, training=True)) for layer in pair)
    assert np.allclose(found, expected, atol=2e-5)
    for own, keras_own in zip(pair[0].get_weights(), pair[1].get_weights(), strict=True):
        assert np.allclose(own, keras_own, rtol=1e-5)


def test_scoring_takes_the_moving_means_and_leaves_them(pair, rng):
    pictures = rng.normal(2, 3, (4, 6, 5, 3)).astype(np.float32)
    before = [weights.copy() for weights in pair[0].get_weights()]
    found, expected = (np.asarray(layer(pictures, training=False)) for layer in pair)
    assert np.array_equal(found, expected)
    assert all(np.array_equal(a, b) for a, b in zip(before, pair[0].get_weights(), strict=True))


def test_the_gradients_are_keras_own_but_for_rounding(pair, rng):
    import tensorflow as tf

    pictures = tf.constant(rng.normal(2, 3, (4, 6, 5, 3)).astype(np.float32))
    weights = rng.normal(size=(4, 6, 5, 3)).astype(np.float32)
    found = []
    for layer in pair:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            total = tf.reduce_sum(layer(pictures, training=True) * weights)
        found.append(tape.gradient(total, [pictures, layer.gamma.value, layer.beta.value]))
    for own, keras_own in zip(*found, strict=True):
        assert np.allclose(own, keras_own, atol=1e-4)
