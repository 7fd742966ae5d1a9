from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atypia.encoders.resnet50 import STAGES, expected_layers, keras_encoder, load_resnet50
from atypia.errors import BadOption, WeightsError
from atypia.keras_backend import keras as import_keras

ALL = tuple(STAGES)


@pytest.fixture(scope="module")
def keras() -> Any:
    pytest.importorskip("keras")
    return import_keras()


@pytest.fixture(scope="module")
def keras_network(keras: Any, whole_file: Path) -> Any:
    """Keras' own network, with the weights as Keras itself loads them."""
    network = keras.applications.ResNet50(include_top=False, weights=str(whole_file), input_shape=(64, 64, 3))
    return keras.Model(network.input, [network.get_layer(s.last_layer).output for s in STAGES.values()])


def test_equals_keras_own_network_and_preprocessing(
    keras: Any, keras_network: Any, whole_file: Path, rng: np.random.Generator
) -> None:
    grey = rng.random((2, 64, 64), dtype=np.float32)
    colour = np.repeat(255 * grey[..., None], 3, axis=-1)
    expected = keras_network(keras.applications.resnet50.preprocess_input(colour))
    encoder = load_resnet50(ALL, weights=whole_file)
    for received, keras_map, stage in zip(encoder(grey), expected, STAGES.values(), strict=True):
        wanted = np.asarray(keras_map)
        assert received.shape == (2, 64 // stage.stride, 64 // stage.stride, stage.channels)
        np.testing.assert_allclose(received, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.usefixtures("keras")
def test_the_keras_encoder_computes_the_same_and_can_be_trained(
    whole_file: Path, rng: np.random.Generator
) -> None:
    grey = rng.random((2, 64, 64), dtype=np.float32)
    model = keras_encoder(whole_file, ("conv4", "conv2"), size=64)
    expected = load_resnet50(("conv4", "conv2"), weights=whole_file)(grey)
    for received, wanted in zip(model(grey), expected, strict=True):
        np.testing.assert_allclose(np.asarray(received), wanted, atol=1e-4 * np.abs(wanted).max())
    assert len(model.trainable_weights) > 100
    assert not any(layer.name.startswith("conv5") for layer in model.layers)


def test_the_layers_are_those_of_keras_in_its_order(keras_network: Any) -> None:
    layers = {
        layer.name: {weight.name: tuple(weight.shape) for weight in layer.weights}
        for layer in keras_network.layers
        if layer.weights
    }
    assert list(layers.items()) == list(expected_layers().items())


def test_a_cut_costs_only_what_it_needs(whole_file: Path) -> None:
    sizes = [len(load_resnet50((cut,), weights=whole_file).graph) for cut in ALL]
    assert sizes == sorted(sizes)
    assert sizes[0] < 1_000_000
    assert sizes[-1] > 90_000_000


def test_names_channels_and_strides_follow_the_order_of_the_cut(whole_file: Path) -> None:
    encoder = load_resnet50(("conv4", "conv2"), weights=whole_file, threads=1)
    assert (encoder.name, encoder.cut, encoder.threads) == ("resnet50", ("conv4", "conv2"), 1)
    assert (encoder.channels, encoder.strides) == ((1024, 256), (16, 4))
    coarse, fine = encoder(np.zeros((1, 32, 32), np.float32))
    assert (coarse.shape, fine.shape) == ((1, 2, 2, 1024), (1, 8, 8, 256))


def test_the_same_weights_give_the_same_fingerprint(conv2_file: Path) -> None:
    first, second = (load_resnet50(("conv2",), weights=conv2_file) for _ in range(2))
    assert first.fingerprint == second.fingerprint


def test_a_file_with_other_names_but_the_same_layout_is_accepted(
    tmp_path: Path, conv2_file: Path, make_layers: Callable[..., Any], write_h5: Callable[..., Path]
) -> None:
    layers = {f"layer_{i}": weights for i, weights in enumerate(make_layers("conv2").values())}
    renamed = write_h5(tmp_path / "renamed.h5", layers, suffix=":0", nested=True)
    expected = load_resnet50(("conv2",), weights=conv2_file)
    assert load_resnet50(("conv2",), weights=renamed).fingerprint == expected.fingerprint


def test_a_file_that_stops_early_refuses_deeper_cuts(conv2_file: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_resnet50(("conv2", "conv4"), weights=conv2_file)
    text = str(caught.value)
    for words in (
        "conv2.h5",
        "up to conv4",
        "stops after layer conv2_block3_3_bn",
        "allows: conv2.",
        "--weights",
    ):
        assert words in text


def test_a_file_that_stops_within_a_stage_allows_the_stage_before(
    tmp_path: Path, make_layers: Callable[..., Any], write_h5: Callable[..., Path]
) -> None:
    layers = make_layers("conv3_block1")
    path = write_h5(tmp_path / "part.h5", layers)
    assert load_resnet50(("conv2",), weights=path).cut == ("conv2",)
    with pytest.raises(WeightsError, match=r"stops after layer conv3_block1_3_bn.*allows: conv2\."):
        load_resnet50(("conv3",), weights=path)


def test_a_file_with_a_hole_is_refused(
    tmp_path: Path, make_layers: Callable[..., Any], write_h5: Callable[..., Path]
) -> None:
    layers = make_layers("conv2")
    del layers["conv2_block2_2_conv"]
    with pytest.raises(WeightsError, match=r"hole\.h5.*without .* of its layers \(conv2_block2_2_conv, "):
        load_resnet50(("conv2",), weights=write_h5(tmp_path / "hole.h5", layers))


def test_a_file_of_another_network_is_refused(tmp_path: Path, write_h5: Callable[..., Path]) -> None:
    other = {"dense": {"kernel": np.zeros((4, 2), np.float32)}}
    with pytest.raises(WeightsError, match="another network"):
        load_resnet50(("conv2",), weights=write_h5(tmp_path / "dense.h5", other))
    with pytest.raises(WeightsError, match=r"holds none of its layers.*allows: none"):
        load_resnet50(("conv2",), weights=write_h5(tmp_path / "empty.h5", {}))


@pytest.mark.parametrize("cut", [("conv6",), ("conv2", "conv2"), ("stage16",)])
def test_unknown_cuts_are_refused_before_any_file_is_looked_at(cut: tuple[str, ...]) -> None:
    with pytest.raises(BadOption, match="conv2, conv3, conv4, conv5"):
        load_resnet50(cut, weights=Path("nowhere.h5"))


@pytest.mark.real_data
def test_real_weights_that_stop_at_conv4(real_data: Path) -> None:
    name = "resnet50_imagenet_conv1_to_conv4_tf_kernels_notop.h5"
    path = Path(os.environ.get("ATYPIA_WEIGHTS", real_data.parent / "weights" / name))
    if not path.is_file():
        pytest.skip(f"no real weights at {path}: set ATYPIA_WEIGHTS to their file")
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (1, 64, 64))
    features = load_resnet50(("conv2", "conv3", "conv4"), weights=path)(ramp)
    # As Keras computes them, preprocessing included.
    np.testing.assert_allclose([maps.mean() for maps in features], [1.11705, 0.85412, 0.50816], rtol=1e-3)
    with pytest.raises(WeightsError, match=r"stops after layer conv4_block6_3_bn.*conv2, conv3, conv4\."):
        load_resnet50(("conv5",), weights=path)
