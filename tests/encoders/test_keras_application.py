"""Encoders out of `keras.applications`, tried on a small network that is put among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from atypia.detectors import Batch, FitContext, PatchCore
from atypia.encoders import RANDOM, converted, keras_application, load_encoder
from atypia.encoders.keras_application import CUTS, load_keras_application
from atypia.errors import BadOption, MissingExtra, WeightsError
from atypia.keras_backend import available
from atypia.keras_backend import keras as import_keras

if not available():
    pytest.skip("Keras is not installed", allow_module_level=True)
keras = import_keras()
# Keras 3.15 reads its variables in a way that numpy 2 calls out of date.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def small(*, include_top: bool, weights: Any, input_shape: tuple[Any, ...]) -> Any:
    """A network with what converters stumble over: grouped convolutions, normalisation, GELU, branches."""
    assert not include_top
    assert weights is None
    layers = keras.layers
    given = keras.Input(input_shape)
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 4.0, 9.0])(given)
    x = layers.Conv2D(6, 4, strides=4)(x)
    branch = layers.Conv2D(6, 3, padding="same", groups=6)(x)
    x = layers.Activation("gelu")(x + branch)
    side = layers.Conv2D(4, 1)(x)
    down = layers.Conv2D(8, 2, strides=2)(x)
    x = layers.BatchNormalization()(down) + layers.Conv2D(8, 2, strides=2)(side)
    x = layers.Conv2D(10, 2, strides=2, activation="relu")(x)
    return keras.Model(given, x)


def odd(**words: Any) -> Any:
    """A network whose layers depend on the size of the picture."""
    network = small(**words)
    if words["input_shape"][0] is None:
        return network
    return keras.Model(network.input, keras.layers.Dropout(0.5)(network.output))


@pytest.fixture(autouse=True)
def applications(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put the small networks among Keras' own, and give each test an empty cache."""
    module = SimpleNamespace(preprocess_input=lambda x: (x / 127.5 - 1) * [1, 2, 3], Small=small, Odd=odd)
    monkeypatch.setattr(keras.applications, "small", module, raising=False)
    monkeypatch.setattr(keras.applications, "Small", small, raising=False)
    monkeypatch.setattr(keras.applications, "Odd", odd, raising=False)
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[int], Path]:
    """`saved(seed)` writes weights as a user of Keras would."""

    def write(seed: int) -> Path:
        network = small(include_top=False, weights=None, input_shape=(32, 32, 3))
        converted.made_up(network, seed)
        path = tmp_path / f"{seed}.weights.h5"
        network.save_weights(path)
        return path

    return write


def test_it_computes_what_keras_computes_at_any_size(saved, rng):
    path = saved(1)
    encoder = load_keras_application("Small", ("stride4", "stride8", "stride16"), weights=path, threads=1)
    assert (encoder.name, encoder.strides, encoder.channels) == ("keras:Small", (4, 8, 16), (6, 8, 10))
    network = small(include_top=False, weights=None, input_shape=(None, None, 3))
    network.load_weights(path)
    for size in (32, 64):
        pixels = rng.random((2, size, size), dtype=np.float32)
        colour = np.repeat(pixels[..., None], 3, axis=-1) * 255
        expected = network.predict_on_batch((colour / 127.5 - 1) * np.float32([1, 2, 3]))
        fine, middle, found = encoder(pixels)
        assert np.allclose(found, expected, atol=1e-4)
        assert (fine.shape[1], middle.shape[1]) == (size // 4, size // 8)


def test_a_cut_is_where_all_of_the_network_passes(saved):
    """Not the layers of a branch: at stride 4 the activation with 6 channels, not the side branch with 4."""
    assert load_keras_application("Small", ("stride4",), weights=saved(1)).channels == (6,)


def test_it_is_built_once_and_kept_by_the_content_of_its_weights(saved, monkeypatch, rng):
    pixels = rng.random((1, 32, 32), dtype=np.float32)
    path = saved(1)
    first = load_encoder("keras:Small", weights=path)
    other = load_encoder("keras:Small", weights=saved(2))
    assert not np.allclose(first(pixels)[0], other(pixels)[0])
    monkeypatch.setattr(keras_application, "_front", lambda *_: pytest.fail("built again"))
    moved = path.rename(path.with_name("moved.weights.h5"))
    again = load_encoder("keras:Small", weights=moved, threads=1)
    assert (again.fingerprint, again.threads) == (first.fingerprint, 1)


def test_a_damaged_file_in_the_cache_is_made_anew(saved, tmp_path, rng):
    path, pixels = saved(1), rng.random((1, 32, 32), dtype=np.float32)
    expected = load_encoder("keras:Small", weights=path)(pixels)[0]
    (kept,) = (tmp_path / "cache" / "encoders").iterdir()
    whole = kept.read_bytes()
    flipped = whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:]  # still a graph
    for content in (b"", b"not a graph", whole[:1000], flipped):
        kept.write_bytes(content)
        assert np.allclose(load_encoder("keras:Small", weights=path)(pixels)[0], expected)
        assert kept.read_bytes() != content


def test_a_network_that_depends_on_the_size_takes_one_only(rng):
    encoder = load_encoder("keras:Odd", weights=RANDOM)
    assert encoder(rng.random((1, 224, 224), dtype=np.float32))[0].shape == (1, 14, 14, 10)
    with pytest.raises(BadOption, match="the only size that it takes"):
        encoder(rng.random((1, 64, 64), dtype=np.float32))


class Heads:
    """A prepared set in memory."""

    def __init__(self, pixels: np.ndarray, foreground: np.ndarray) -> None:
        self.pixels, self.foreground = pixels, foreground

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray) -> Batch:
        return Batch(self.pixels[indices], self.foreground[indices])


def test_a_detector_learns_on_it_and_needs_no_keras_afterwards(draw_heads, tmp_path):
    heads = Heads(*draw_heads(12))
    detector = PatchCore("keras:Small", RANDOM, components=4).fit(heads, FitContext(tmp_path))
    assert detector.encoder_.cut == ("stride8", "stride16")
    again = PatchCore.from_state(detector.state())
    batch = heads.batch(np.arange(2))
    assert np.array_equal(again.score(batch).image, detector.score(batch).image)


def test_unknown_networks_and_cuts_are_refused_with_the_known_ones():
    with pytest.raises(BadOption, match=r"after 'keras:', received 'Nope'. There are: .*ConvNeXtTiny.*VGG16"):
        load_encoder("keras:Nope", weights=RANDOM)
    with pytest.raises(BadOption, match=f"out of {', '.join(CUTS)}, received stage8"):
        load_encoder("keras:Small", cut=("stage8",), weights=RANDOM)
    with pytest.raises(
        BadOption, match=r"no map at stride32 .* Cuts that it has: stride4, stride8, stride16"
    ):
        load_encoder("keras:Small", cut=("stride16", "stride32"), weights=RANDOM)


def test_weights_that_are_missing_or_of_another_network_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.h5: expected weights, received no file"):
        load_encoder("keras:Small", weights=tmp_path / "none.h5")
    other = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(other)
    with pytest.raises(WeightsError, match=r"other\.weights\.h5: cannot be used for keras:Small .*--weights"):
        load_encoder("keras:Small", weights=other)
    assert not (tmp_path / "cache").exists()


def test_without_keras_the_user_hears_what_to_install(monkeypatch):
    def missing() -> None:
        raise MissingExtra("Training a network", "train")

    monkeypatch.setattr(keras_application, "import_keras", missing)
    with pytest.raises(MissingExtra, match=r"atypia\[train\]"):
        load_encoder("keras:Small", weights=RANDOM)


@pytest.mark.parametrize(
    ("name", "cut", "sides"),
    [("MobileNetV2", ("stride8", "stride16"), [12, 6]), ("ConvNeXtTiny", ("stride4", "stride8"), [24, 12])],
)
def test_networks_of_keras_itself(name, cut, sides, rng):
    encoder = load_encoder(f"keras:{name}", cut=cut, weights=RANDOM)
    maps = encoder(rng.random((1, 96, 96), dtype=np.float32))
    assert [m.shape[1] for m in maps] == sides
    assert all(np.isfinite(m).all() and m.std() > 0 for m in maps)
