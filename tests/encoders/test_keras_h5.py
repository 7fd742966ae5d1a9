from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from atypia.encoders.keras_h5 import read_layers
from atypia.errors import WeightsError

EXPECTED = {"first": {"kernel": (3, 3, 1, 2), "bias": (2,)}, "second": {"gamma": (2,)}}
Writer = Callable[..., Path]


@pytest.fixture
def layers(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    return {
        name: {weight: rng.random(shape, dtype=np.float32) for weight, shape in shapes.items()}
        for name, shapes in EXPECTED.items()
    }


@pytest.mark.parametrize("suffix", ["", ":0"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("names", [("first", "second"), ("conv2d_17", "batch_normalization_4")])
def test_reads_what_keras_writes(
    tmp_path: Path,
    write_h5: Writer,
    layers: dict[str, Any],
    suffix: str,
    nested: bool,
    names: tuple[str, str],
) -> None:
    stored = dict(zip(names, layers.values(), strict=True))
    read = read_layers(write_h5(tmp_path / "w.h5", stored, suffix=suffix, nested=nested), EXPECTED)
    assert list(read) == list(EXPECTED)
    for name, weights in layers.items():
        for weight, array in weights.items():
            np.testing.assert_array_equal(read[name][weight], array)


def test_other_layers_are_left_alone(tmp_path: Path, write_h5: Writer, layers: dict[str, Any]) -> None:
    head = {"predictions": {"kernel": np.zeros((2, 5), np.float32)}}
    assert read_layers(write_h5(tmp_path / "w.h5", layers | head), EXPECTED).keys() == EXPECTED.keys()


def test_missing_layers_are_left_out(tmp_path: Path, write_h5: Writer, layers: dict[str, Any]) -> None:
    assert list(read_layers(write_h5(tmp_path / "w.h5", {"second": layers["second"]}), EXPECTED)) == [
        "second"
    ]


@pytest.mark.parametrize("names", [("first", "second"), ("a", "b")])
def test_a_wrong_shape_is_refused(
    tmp_path: Path, write_h5: Writer, layers: dict[str, Any], names: tuple[str, str]
) -> None:
    layers["second"]["gamma"] = np.zeros(3, np.float32)
    path = write_h5(tmp_path / "w.h5", dict(zip(names, layers.values(), strict=True)))
    with pytest.raises(
        WeightsError, match=rf"w\.h5: layer '{names[1]}' does not fit 'second'.*\(2,\).*\(3,\)"
    ):
        read_layers(path, EXPECTED)


def test_a_missing_bias_is_refused(tmp_path: Path, write_h5: Writer, layers: dict[str, Any]) -> None:
    del layers["first"]["bias"]
    with pytest.raises(WeightsError, match="does not fit 'first'"):
        read_layers(write_h5(tmp_path / "w.h5", layers), EXPECTED)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, write_h5: Writer, layers: dict[str, Any], poison: float
) -> None:
    layers["second"]["gamma"][1] = poison
    with pytest.raises(WeightsError, match="'second/gamma' holds NaN or infinity"):
        read_layers(write_h5(tmp_path / "w.h5", layers), EXPECTED)


def test_a_negative_variance_is_refused(tmp_path: Path, write_h5: Writer) -> None:
    path = write_h5(tmp_path / "w.h5", {"norm": {"moving_variance": np.asarray([1, -1], np.float32)}})
    with pytest.raises(WeightsError, match="'norm/moving_variance' holds a negative variance"):
        read_layers(path, {"norm": {"moving_variance": (2,)}})


@pytest.mark.parametrize("content", [b"", b"these are no weights", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"text\.h5: expected a Keras weights file \(HDF5\)"):
        read_layers(path, EXPECTED)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_refused(tmp_path: Path, conv2_file: Path, share: float) -> None:
    whole = conv2_file.read_bytes()
    path = tmp_path / "short.h5"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match="cut short"):
        read_layers(path, EXPECTED)


def test_another_hdf5_layout_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "keras3.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")
    with pytest.raises(WeightsError, match=r"layer_names.*\['layers'\].*model\.save"):
        read_layers(path, EXPECTED)


def test_a_weight_that_is_listed_but_missing_is_refused(
    tmp_path: Path, write_h5: Writer, layers: dict[str, Any]
) -> None:
    path = write_h5(tmp_path / "w.h5", layers)
    with h5py.File(path, "a") as file:
        del file["first/first/bias"]
    with pytest.raises(WeightsError, match="'first/bias' is listed but missing"):
        read_layers(path, EXPECTED)
