"""Synthetic ResNet50 weights, written as Keras writes them, so that no test needs a download."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from atypia.encoders.resnet50 import expected_layers

Layers = dict[str, dict[str, NDArray[np.float32]]]


def random_layers(names: Iterable[str], seed: int = 7) -> Layers:
    """Weights that keep the activations of a deep network near one."""
    rng, expected = np.random.default_rng(seed), expected_layers()
    layers: Layers = {}
    for name in names:
        layers[name] = {}
        for weight, shape in expected[name].items():
            drawn = rng.standard_normal(shape, dtype=np.float32)
            scale = np.sqrt(2 / np.prod(shape[:-1])) if weight == "kernel" else 0.1
            layers[name][weight] = drawn * np.float32(scale)
            if weight in ("gamma", "moving_variance"):
                layers[name][weight] = np.abs(layers[name][weight]) + np.float32(0.5)
    return layers


def up_to(stage: str) -> list[str]:
    """The names of all layers to the end of a stage."""
    names = list(expected_layers())
    last = max(place for place, name in enumerate(names) if name.startswith(stage))
    return names[: last + 1]


def write_layers(path: Path, layers: Layers, *, suffix: str = "", nested: bool = False) -> Path:
    """Write Keras' legacy HDF5 layout; `suffix` is Keras 2's ":0"; `nested` puts a model in the model."""
    groups = (
        {"input_1": {}, "resnet50": layers} if nested else {name: {name: layers[name]} for name in layers}
    )
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if nested else file
        root.attrs["layer_names"] = np.asarray([name.encode() for name in groups], "S64")
        for group_name, members in groups.items():
            addresses = {
                f"{name}/{weight}{suffix}": array
                for name, weights in members.items()
                for weight, array in weights.items()
            }
            group = root.create_group(group_name)
            group.attrs["weight_names"] = np.asarray([address.encode() for address in addresses], "S64")
            for address, array in addresses.items():
                group[address] = array
    return path


@pytest.fixture(scope="session")
def write_h5() -> Callable[..., Path]:
    return write_layers


@pytest.fixture(scope="session")
def make_layers() -> Callable[..., Layers]:
    return lambda stage: random_layers(up_to(stage))


@pytest.fixture(scope="session")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of ResNet50 without top, as the official file has it."""
    return write_layers(tmp_path_factory.mktemp("weights") / "whole.h5", random_layers(up_to("conv5")))


@pytest.fixture(scope="session")
def conv2_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file that stops at the end of conv2."""
    return write_layers(tmp_path_factory.mktemp("weights") / "conv2.h5", random_layers(up_to("conv2")))


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point Atypia's and Keras' caches to empty folders; return the place of the official file in ours."""
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache" / "weights" / "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
