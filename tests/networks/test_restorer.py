from __future__ import annotations

import numpy as np
import pytest

from atypia.keras_backend import keras
from atypia.networks.export import to_onnx
from atypia.networks.restorer import OUTPUTS, make_restorer, make_restoring_scorer
from atypia.onnx_session import open_session

SIZE = 16


def halving(told: bool):
    """A stand-in for a U-Net: the change is minus half the picture, times the strength where it is told."""
    pictures = keras().Input((SIZE // 2, SIZE // 2, 1 + told))
    change = -0.5 * pictures[..., :1]
    return keras().Model(pictures, change * pictures[..., 1:] if told else change)


def run(unet, strengths, smoothing=0.0, pixels=None):
    graph = to_onnx(make_restoring_scorer(unet, SIZE, 2, strengths, smoothing), OUTPUTS)
    return open_session(graph, "The restorer").run(None, {"pixels": pixels})


@pytest.fixture
def flat():
    return np.repeat(np.float32([[[1.0]], [[2.0]]]), SIZE, axis=1).repeat(SIZE, axis=2)


def test_without_strengths_the_map_is_the_size_of_the_change(flat):
    heat, change = run(halving(told=False), (), pixels=flat)
    assert np.allclose(change, -flat / 2)
    assert np.allclose(heat, flat / 2)


def test_restorations_of_all_strengths_are_averaged(flat):
    heat, change = run(halving(told=True), (0.2, 1.0), pixels=flat)
    assert np.allclose(change, -0.3 * flat)
    assert np.allclose(heat, 0.3 * flat)


def test_smoothing_keeps_a_flat_map_flat_and_spreads_a_point(flat):
    assert np.allclose(run(halving(told=False), (), 3.0, flat)[0], flat / 2, atol=1e-5)
    point = np.zeros_like(flat)
    point[:, 8, 8] = 1
    sharp, soft = (run(halving(told=False), (), smoothing, point)[0] for smoothing in (0.0, 3.0))
    assert soft.max() < sharp.max() / 2
    assert (soft > 1e-4).sum() > (sharp > 1e-4).sum()


@pytest.mark.parametrize(("loss", "expected"), [("squared", 4.0), ("absolute", 2.0)])
def test_the_loss_is_the_mean_error_where_it_counts(loss, expected):
    unet = halving(told=False)
    model = make_restorer(unet, keras().optimizers.SGD(0.0), loss)
    pictures = np.full((2, SIZE // 2, SIZE // 2, 1), 4, np.float32)
    truth = np.zeros((2, SIZE // 2, SIZE // 2, 2), np.float32)
    truth[0, :, :, 1] = 1000
    told = model.test_on_batch([pictures], truth, return_dict=True)
    assert told["loss"] == pytest.approx(expected, rel=1e-3)
