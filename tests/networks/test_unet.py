from __future__ import annotations

import numpy as np
import onnx
import pytest

from atypia.errors import BadOption
from atypia.keras_backend import keras
from atypia.networks.export import to_onnx
from atypia.networks.unet import build_unet
from atypia.onnx_session import open_session


@pytest.fixture(scope="module")
def trained():
    """A small U-Net after a few steps towards its own first channel, and pictures."""
    unet = build_unet((16, 24), 2, 3, widths=(4, 6, 8), seed=1)
    pictures = np.random.default_rng(3).normal(size=(5, 16, 24, 2)).astype(np.float32)
    unet.compile(optimizer=keras().optimizers.Adam(0.05), loss="mse", jit_compile=False)
    for _ in range(3):
        unet.train_on_batch(pictures, np.repeat(pictures[..., :1], 3, axis=-1))
    return unet, pictures


def test_it_gives_what_was_asked_for_at_full_size_and_starts_at_zero():
    unet = build_unet(16, 1, 2, widths=(4, 6), seed=0)
    assert unet.output.shape == (None, 16, 16, 2)
    assert (np.asarray(unet(np.ones((1, 16, 16, 1), np.float32))) == 0).all()


def test_the_default_widths_are_the_small_network_of_the_sketches():
    assert 380_000 < build_unet(32, 1, 1).count_params() < 400_000


def test_same_seed_same_weights_and_another_seed_others():
    first, again, other = (build_unet(8, 1, 1, widths=(4,), seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_last_channels_are_the_pixels_of_each_place():
    unet = build_unet(4, 1, 1, widths=(4,), seed=0)
    kernel, bias = unet.get_layer("head").get_weights()
    unet.get_layer("head").set_weights([kernel, np.arange(4, dtype=np.float32)])
    found = np.asarray(unet(np.zeros((1, 4, 4, 1), np.float32)))[0, ..., 0]
    assert bias.shape == (4,)
    assert np.array_equal(found, np.tile([[0, 1], [2, 3]], (2, 2)))


def test_the_exported_graph_computes_the_same_and_has_no_normalisation_left(trained):
    unet, pictures = trained
    graph = to_onnx(unet, ["logits"])
    (found,) = open_session(graph, "The U-Net").run(None, {"pictures": pictures})
    expected = np.asarray(unet(pictures, training=False))
    assert np.abs(expected).max() > 0.01
    assert np.allclose(found, expected, atol=1e-5)
    kinds = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert "Conv" in kinds
    assert "BatchNormalization" not in kinds


@pytest.mark.parametrize(
    ("size", "widths", "words"),
    [
        (20, (4, 4, 4), "multiples of 8, received 20x20"),
        ((16, 12), (4, 4, 4), "multiples of 8, received 16x12"),
        (16, (), "widths above 0"),
        (16, (4, 0), "widths above 0"),
    ],
)
def test_what_does_not_fit_is_refused(size, widths, words):
    with pytest.raises(BadOption, match=words):
        build_unet(size, 1, 1, widths=widths)
