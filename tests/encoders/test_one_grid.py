from __future__ import annotations

import numpy as np

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
