from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.networks.adaptation import TEMPERATURE, centres_of, contrastive, make_adapting
from atypia.networks.seeded import seeded

keras = pytest.importorskip("keras")


def pairs_of(seed, count, width=4):
    vectors = np.random.default_rng(seed).normal(size=(count, 2, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def by_hand(pairs):
    """Chen et al. 2020, equation 1, written out."""
    everyone = [*pairs[:, 0], *pairs[:, 1]]
    count, total = len(pairs), 0.0
    for i, one in enumerate(everyone):
        twin = np.exp(one @ everyone[(i + count) % (2 * count)] / TEMPERATURE)
        total -= np.log(twin / sum(np.exp(one @ v / TEMPERATURE) for j, v in enumerate(everyone) if j != i))
    return total / len(everyone)


@given(seed=st.integers(0, 99), count=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_the_loss_is_that_of_the_paper_in_any_order_and_either_way_round(seed, count):
    pairs = pairs_of(seed, count)
    loss = float(contrastive(pairs))
    assert loss == pytest.approx(by_hand(pairs), abs=1e-4)
    assert float(contrastive(pairs[::-1])) == pytest.approx(loss, abs=1e-4)
    assert float(contrastive(pairs[:, ::-1])) == pytest.approx(loss, abs=1e-4)


def test_the_loss_of_what_tells_nothing_apart_is_chance():
    alike = np.tile(pairs_of(0, 1)[:, :1], (6, 2, 1))
    assert float(contrastive(alike)) == pytest.approx(np.log(11), abs=1e-4)
    twins = np.repeat(np.eye(6, dtype=np.float32)[:, None], 2, axis=1)
    assert float(contrastive(twins)) < np.log(11)


def test_the_centre_is_the_mean_of_the_scans_directions_however_they_are_batched(rng):
    maps = rng.random((7, 3, 3, 5), dtype=np.float32) * rng.uniform(0.1, 9, (7, 1, 1, 1)).astype(np.float32)
    vectors = maps.mean((1, 2))
    expected = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
    for cuts in ([7], [3, 4], [1, 1, 5]):
        parts = np.split(maps, np.cumsum(cuts)[:-1])
        (centre,) = centres_of([part] for part in parts)
        assert np.allclose(centre, expected, atol=1e-5)


def test_training_lowers_the_loss_of_both_cuts(rng):
    pixels = keras.Input((8, 8))
    grown = keras.ops.expand_dims(pixels, -1)
    with seeded(0):
        first = keras.layers.Conv2D(4, 3, strides=2, padding="same")(grown)
        second = keras.layers.Conv2D(6, 3, strides=2, padding="same")(keras.ops.relu(first))
    encoder = keras.Model(pixels, [first, second])
    scans = rng.random((8, 8, 8), dtype=np.float32)
    copies = [scans + rng.normal(0, 0.3, scans.shape).astype(np.float32) for _ in range(2)]
    centres = centres_of([[np.asarray(maps) for maps in encoder(scans)]])
    model = make_adapting(encoder, centres, keras.optimizers.Adam(1e-3))
    vectors = model.predict_on_batch(copies)
    assert vectors.shape == (8, 2, 10)
    assert np.allclose(np.linalg.norm(vectors[..., :4], axis=-1), 1, atol=1e-3)
    assert np.allclose(np.linalg.norm(vectors[..., 4:], axis=-1), 1, atol=1e-3)
    start = model.test_on_batch(copies, np.zeros(8))
    expected = (float(contrastive(vectors[..., :4])) + float(contrastive(vectors[..., 4:]))) / 2
    assert start == pytest.approx(expected, abs=1e-4)
    for _ in range(30):
        model.train_on_batch(copies, np.zeros(8))
    model.reset_metrics()
    assert model.test_on_batch(copies, np.zeros(8)) < start - 0.1
