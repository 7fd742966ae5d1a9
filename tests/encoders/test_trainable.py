"""An encoder's graph as a Keras network, and back."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from atypia.encoders import Encoder, load_encoder
from atypia.encoders.graph import GraphBuilder
from atypia.encoders.one_grid import on_one_grid
from atypia.encoders.trainable import trainable
from atypia.errors import BadOption

pytest.importorskip("keras")

SIZE = 64


@pytest.fixture(params=["efficientnet-lite0", "resnet50"])
def encoder(request, whole_file):
    if request.param == "resnet50":
        return load_encoder("resnet50", cut=("conv2", "conv3"), weights=whole_file)
    return load_encoder("efficientnet-lite0", cut=("stage8", "stage16"))


@pytest.fixture
def pixels(rng):
    return rng.random((2, SIZE, SIZE), dtype=np.float32)


def apart(encoder, network, pixels):
    """The greatest difference between ONNX Runtime and Keras, as a share of the greatest value."""
    pairs = zip(encoder(pixels), network.model.predict_on_batch(pixels), strict=True)
    return max(float(np.abs(ours - theirs).max() / np.abs(ours).max()) for ours, theirs in pairs)


def test_keras_computes_what_the_graph_computes_and_gives_it_back(encoder, pixels):
    network = trainable(encoder, SIZE)
    assert apart(encoder, network, pixels) < 1e-4
    back = network.trained()
    assert back.graph == encoder.graph
    assert (back.name, back.cut, back.channels, back.strides) == (
        encoder.name,
        encoder.cut,
        encoder.channels,
        encoder.strides,
    )


def test_what_was_trained_is_what_the_graph_computes(encoder, pixels):
    network = trainable(encoder, SIZE)
    network.model.compile("sgd", "mse", jit_compile=False)
    network.model.optimizer.learning_rate = 1e-4
    truth = [np.zeros_like(maps) for maps in encoder(pixels)]
    network.model.train_on_batch(pixels, truth)
    back = network.trained()
    assert back.fingerprint != encoder.fingerprint
    assert np.abs(back(pixels)[-1] - encoder(pixels)[-1]).max() > 1e-3
    assert apart(back, network, pixels) < 1e-4


def test_only_what_works_at_the_strides_of_the_cuts_learns():
    network = trainable(load_encoder("efficientnet-lite0", cut=("stage8", "stage16")), SIZE)
    sides = {True: [], False: []}
    for name in network.constants:
        layer = network.model.get_layer(name)
        sides[layer.trainable].append(layer.output.shape[1])
    assert max(sides[True]) == SIZE // 8
    assert min(sides[False]) == SIZE // 4


def test_maxima_are_taken_as_onnx_takes_them_also_below_zero(rng):
    builder = GraphBuilder("tiny")
    value = builder.grey_input(scale=1.0, mean=(2.0, 3.0, 4.0))
    graph = builder.build({"end": (builder.max_pool(value, size=3, stride=2, padding=1), 3)})
    encoder = Encoder("tiny", ("end",), (3,), (2,), graph)
    pixels = rng.random((1, 8, 8), dtype=np.float32)
    (ours,) = encoder(pixels)
    theirs = trainable(encoder, 8).model.predict_on_batch(pixels)
    assert (ours < 0).all()
    assert np.allclose(ours, theirs[0] if isinstance(theirs, list) else theirs, atol=1e-6)


def grouped(groups):
    """A convolution of six channels in so many groups."""
    builder = GraphBuilder("tiny")
    value = builder.grey_input(scale=1.0, mean=(0.0, 0.0, 0.0))
    wide = builder.convolution(value, np.ones((6, 3, 1, 1)), np.zeros(6))
    end = builder.convolution(wide, np.ones((6, 6 // groups, 1, 1)), np.zeros(6), groups=groups)
    return Encoder("tiny", ("end",), (6,), (1,), builder.build({"end": (end, 6)}))


def test_what_cannot_be_trained_is_refused_by_name():
    pooled = on_one_grid(load_encoder("efficientnet-lite0", cut=("stage8", "stage16")))
    for encoder, operation in ((pooled, "AveragePool"), (grouped(2), "Conv")):
        with pytest.raises(BadOption, match=f"its operation {operation} cannot be trained"):
            trainable(encoder, SIZE)
    assert trainable(grouped(6), 8).trained().graph == grouped(6).graph


def test_another_turning_of_the_axes_is_refused():
    encoder = grouped(6)
    model = onnx.load_from_string(encoder.graph)
    model.graph.node[-1].attribute[0].ints[:] = [0, 3, 2, 1]
    turned = Encoder("tiny", ("end",), (6,), (1,), model.SerializeToString())
    with pytest.raises(BadOption, match="operation Transpose"):
        trainable(turned, 8)
