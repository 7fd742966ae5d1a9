from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from atypia.encoders import load_encoder
from atypia.encoders.one_grid import on_one_grid


def test_finer_maps_are_averaged_to_the_coarsest_grid(rng):
    pixels = rng.random((2, 64, 64), dtype=np.float32)
    encoder = load_encoder("efficientnet-lite0", cut=("stage4", "stage8", "stage16"))
    coarse = on_one_grid(encoder)
    assert coarse.strides == (16, 16, 16)
    for found, maps, stride in zip(coarse(pixels), encoder(pixels), encoder.strides, strict=True):
        n, h, w, c = maps.shape
        factor = 16 // stride
        expected = maps.reshape(n, h // factor, factor, w // factor, factor, c).mean((2, 4))
        assert found.shape == (2, 4, 4, c)
        assert np.allclose(found, expected, atol=1e-4)


def test_an_encoder_on_one_grid_is_left_alone():
    encoder = load_encoder("efficientnet-lite0", cut=("stage16",))
    assert on_one_grid(encoder) is encoder


def test_a_map_that_is_read_on_or_ends_otherwise_is_averaged_as_well(rng):
    """Graphs that a converter wrote need not end in a transposition."""
    encoder = load_encoder("efficientnet-lite0", cut=("stage8", "stage16"))
    model = onnx.load_from_string(encoder.graph)
    (place,) = [place for place, node in enumerate(model.graph.node) if "stage8" in node.output]
    model.graph.node[place].output[0] = "inner"
    model.graph.node.insert(place + 1, onnx.helper.make_node("Abs", ["inner"], ["stage8"]))
    model.graph.node.append(onnx.helper.make_node("Abs", ["stage8"], ["read_on"]))
    other = replace(encoder, graph=model.SerializeToString())
    pixels = rng.random((1, 64, 64), dtype=np.float32)
    (fine, coarse), (averaged, same) = other(pixels), on_one_grid(other)(pixels)
    assert np.allclose(averaged, fine.reshape(1, 4, 2, 4, 2, -1).mean((2, 4)), atol=1e-5)
    assert np.allclose(same, coarse, atol=1e-5)
