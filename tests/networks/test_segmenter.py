from __future__ import annotations

import numpy as np
import pytest

from atypia.keras_backend import keras
from atypia.networks.export import to_onnx
from atypia.networks.segmenter import OUTPUTS, STEADY, make_segmenter, make_segmenting_scorer
from atypia.onnx_session import open_session

SIZE = 8


@pytest.fixture
def first_channel():
    """A stand-in for a U-Net: its logits are the first channel."""
    channels = keras().Input((SIZE, SIZE, 3))
    return keras().Model(channels, channels[..., :1] * 1.0)


def loss_of(unet, logits, truth):
    model = make_segmenter(unet, keras().optimizers.SGD(0.0))
    channels = np.repeat(logits[..., None], 3, axis=-1).astype(np.float32)
    return model.test_on_batch([channels], truth[..., None].astype(np.float32), return_dict=True)["loss"]


def test_the_loss_is_cross_entropy_and_the_dice_coefficient_of_the_batch(first_channel, rng):
    logits, truth = rng.normal(size=(2, SIZE, SIZE)), rng.random((2, SIZE, SIZE)) < 0.3
    marked = 1 / (1 + np.exp(-logits))
    entropy = -np.where(truth, np.log(marked), np.log(1 - marked)).mean()
    dice = (2 * marked[truth].sum() + STEADY) / (marked.sum() + truth.sum() + STEADY)
    assert loss_of(first_channel, logits, truth) == pytest.approx(2 * entropy + 1 - dice, rel=1e-4)


@pytest.mark.parametrize("sick", [False, True])
def test_the_right_answer_costs_next_to_nothing_with_lesions_and_without(first_channel, sick):
    truth = np.zeros((2, SIZE, SIZE), bool)
    truth[0, 2:5, 2:5] = sick
    right = np.where(truth, 30.0, -30.0)
    assert loss_of(first_channel, right, truth) == pytest.approx(0, abs=1e-4)
    assert loss_of(first_channel, -right, truth) > 10
    assert np.isfinite(loss_of(first_channel, 1e4 * right, truth))


def test_the_scorer_hears_the_mirror_image_as_well(rng):
    """A network that looks one pixel to the left gives the mean of both neighbours."""
    channels = keras().Input((SIZE, SIZE, 3))
    left = keras().ops.pad(channels[:, :, :-1, :1], [[0, 0], [0, 0], [1, 0], [0, 0]])
    graph = to_onnx(make_segmenting_scorer(keras().Model(channels, left)), OUTPUTS)
    seen = rng.random((2, SIZE, SIZE, 3), dtype=np.float32)
    (evidence,) = open_session(graph, "The segmenter").run(None, {"channels": seen})
    assert evidence.shape == (2, SIZE, SIZE)
    assert np.allclose(evidence[:, :, 1:-1], (seen[:, :, :-2, 0] + seen[:, :, 2:, 0]) / 2, atol=1e-6)
