"""DINOv2 through keras-hub, with a tiny transformer of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atypia.encoders import RANDOM, dinov2, load_encoder
from atypia.encoders.converted import converted, made_up
from atypia.encoders.dinov2 import dinov2_front
from atypia.errors import BadOption, MissingExtra, WeightsError

# Keras 3.15 reads its variables in a way that numpy 2 calls out of date.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
needs_hub = pytest.mark.skipif(not dinov2.hub_available(), reason="keras-hub is not installed")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))


def test_without_keras_hub_the_user_hears_what_to_install(monkeypatch):
    monkeypatch.setattr(dinov2, "hub_available", lambda: False)
    with pytest.raises(MissingExtra, match=r"hub:dinov2_small needs .* pip install keras-hub"):
        load_encoder("hub:dinov2_small", weights=RANDOM)


def test_unknown_cuts_are_refused():
    with pytest.raises(BadOption, match="out of depth33, depth67, depth100, received stage8"):
        load_encoder("hub:dinov2_small", cut=("stage8",))


@needs_hub
def test_unknown_models_are_refused(tmp_path):
    with pytest.raises(BadOption, match="random weights are there for dinov2_small"):
        load_encoder("hub:dinov9", weights=RANDOM)
    with pytest.raises(WeightsError, match=r"preset .* cannot be used .*--weights FOLDER"):
        load_encoder("hub:dinov2_small", weights=tmp_path)


def tiny(registers: int = 0, **more):
    import keras_hub

    shape = (56, 56, 3)
    backbone = keras_hub.models.DINOV2Backbone(
        14,
        3,
        16,
        2,
        32,
        num_register_tokens=registers,
        image_shape=shape,
        position_embedding_shape=shape,
        **more,
    )
    made_up(backbone)
    return backbone


@needs_hub
@pytest.mark.parametrize("registers", [0, 4])
def test_patches_lie_on_their_grid_and_the_other_tokens_are_left_out(registers, rng):
    backbone = tiny(registers)
    cut = ("depth67", "depth100")
    encoder = converted("hub:tiny", cut, None, 1, lambda: dinov2_front(backbone, cut), ("keras",))
    assert (encoder.strides, encoder.channels) == ((14, 14), (16, 16))
    pixels = rng.random((2, 56, 56), dtype=np.float32)
    found = encoder(pixels)
    colour = (pixels[..., None] - np.float32(dinov2.MEAN)) / np.float32(dinov2.DEVIATION)
    tokens = np.asarray(backbone.predict_on_batch({"images": colour}))
    assert found[1].shape == (2, 4, 4, 16)
    assert np.allclose(found[1].reshape(2, 16, 16), tokens[:, 1 + registers :], atol=1e-3)
    assert not np.allclose(found[0], found[1])


@needs_hub
def test_a_preset_in_a_folder_is_read(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(dinov2, "SIZE", 56)
    tiny().save_to_preset(str(tmp_path / "preset"))
    encoder = load_encoder("hub:dinov2_small", weights=tmp_path / "preset")
    assert encoder(rng.random((1, 56, 56), dtype=np.float32))[0].shape == (1, 4, 4, 16)
