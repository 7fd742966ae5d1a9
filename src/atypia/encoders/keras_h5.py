"""Reads the layers of a Keras weights file (legacy HDF5 layout) and matches them to the layers we expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """One layer in an open file: its datasets by weight (`kernel`, `bias`, `gamma`, ...)."""

    name: str
    datasets: dict[str, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight."""
        return {weight: tuple(dataset.shape) for weight, dataset in self.datasets.items()}


def read_layers(path: Path, expected: Mapping[str, Shapes]) -> dict[str, Arrays]:
    """Return the weights of those expected layers that the file holds, by the expected names.

    `expected` lists the layers of the network with the shapes of their weights, in Keras' order.
    Layers are matched by name (also inside a nested model); a file that shares no name with the network is
    matched by order, and must then agree in every shape.
    Raises WeightsError where the file is no such file, or a weight has a wrong shape or cannot be one.
    """
    with _open(path) as file:
        matched = _match(path, _stored_layers(path, file), expected)
        return {name: _read(path, layer) for name, layer in matched.items()}


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path}: expected a Keras weights file (HDF5), received a file that cannot be read as one "
            f"({error}). It may be cut short or of another kind: download it again, or name another file."
        ) from error


def _stored_layers(path: Path, file: Any) -> dict[str, StoredLayer]:
    """List the layers that have weights, in the file's order, whether at the top or in a nested model."""
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs:
        raise WeightsError(
            f"{path}: expected a Keras weights file in the legacy HDF5 layout (with 'layer_names'), received "
            f"an HDF5 file with {sorted(file)[:5]}. Save it with Keras as model.save_weights('name.h5') of "
            "Keras 2, or model.save('name.h5')."
        )
    layers: dict[str, StoredLayer] = {}
    for group_name in map(_text, root.attrs["layer_names"]):
        group = root.get(group_name)
        for address in map(_text, () if group is None else group.attrs.get("weight_names", ())):
            parent, _, weight = address.rpartition("/")
            name = parent.rpartition("/")[2] or group_name
            if address not in group or not hasattr(group[address], "shape"):
                raise WeightsError(
                    f"{path}: the weight '{address}' is listed but missing. Download the file again."
                )
            layer = layers.setdefault(name, StoredLayer(name))
            layer.datasets[weight.removesuffix(":0")] = group[address]
    return layers


def _match(
    path: Path, stored: dict[str, StoredLayer], expected: Mapping[str, Shapes]
) -> dict[str, StoredLayer]:
    if stored.keys().isdisjoint(expected):
        found = dict(zip(expected, stored.values(), strict=False))
    else:
        found = {name: stored[name] for name in expected if name in stored}
    for name, layer in found.items():
        if layer.shapes != expected[name]:
            raise WeightsError(
                f"{path}: layer '{layer.name}' does not fit '{name}': expected {expected[name]}, "
                f"received {layer.shapes}. This file belongs to another network."
            )
    return found


def _read(path: Path, layer: StoredLayer) -> Arrays:
    arrays = {weight: np.asarray(dataset[()], np.float32) for weight, dataset in layer.datasets.items()}
    for weight, array in arrays.items():
        negative = weight == "moving_variance" and bool((array < 0).any())
        if negative or not np.isfinite(array).all():
            what = "a negative variance" if negative else "NaN or infinity"
            raise WeightsError(f"{path}: '{layer.name}/{weight}' holds {what}. Download the file again.")
    return arrays


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
