from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from atypia.encoders.efficientnet_lite0 import CUTS, load_efficientnet_lite0
from atypia.errors import BadOption

# From the PyTorch network that the weights were published for, on `ramp()`: maps [0, 1, 2, :4], their mean
# and standard deviation, and the corner [0, -1, -1, :3], which feels the padding.
REFERENCE = {
    "stage4": ([-10.9135, 20.3288, -0.8447, -1.0274], 0.4644, 7.2023, [6.4299, 6.5406, 7.7457]),
    "stage8": ([-8.5219, -2.4248, -8.2459, -11.7615], 0.4852, 7.9874, [14.5069, -16.1163, -7.217]),
    "stage16": ([-0.0287, 6.3496, -5.2885, 0.5577], -0.5976, 6.3913, [-2.6227, -2.2678, -6.4592]),
}


def ramp() -> np.ndarray:
    line = np.linspace(0, 1, 64, dtype=np.float32)
    return np.outer(line, line[::-1])[None]


def test_equals_the_network_that_the_weights_were_made_for() -> None:
    encoder = load_efficientnet_lite0(tuple(REFERENCE))
    for maps, (values, mean, deviation, corner) in zip(encoder(ramp()), REFERENCE.values(), strict=True):
        np.testing.assert_allclose(maps[0, 1, 2, :4], values, atol=1e-3)
        np.testing.assert_allclose([maps.mean(), maps.std()], [mean, deviation], atol=1e-3)
        np.testing.assert_allclose(maps[0, -1, -1, :3], corner, atol=1e-3)


@pytest.mark.parametrize("size", [64, 96])
def test_strides_and_channels_are_as_promised(size: int, rng: np.random.Generator) -> None:
    cut = ("stage16", "stage4", "stage8")
    encoder = load_efficientnet_lite0(cut)
    assert (encoder.channels, encoder.strides) == ((112, 24, 40), (16, 4, 8))
    maps = encoder(rng.random((2, size, size), dtype=np.float32))
    shapes = [(2, size // s, size // s, c) for s, c in zip(encoder.strides, encoder.channels, strict=True)]
    assert [m.shape for m in maps] == shapes


def test_the_default_cut_is_the_deepest() -> None:
    encoder = load_efficientnet_lite0()
    assert (encoder.name, encoder.cut) == ("efficientnet-lite0", ("stage16",))


def test_a_cut_costs_only_what_it_needs() -> None:
    graphs = [load_efficientnet_lite0((cut,)).graph for cut in CUTS]
    convolutions = [
        sum(node.op_type == "Conv" for node in onnx.load_from_string(graph).graph.node) for graph in graphs
    ]
    assert convolutions == [9, 15, 33]
    assert len(graphs[0]) < 100_000
    assert len(graphs[-1]) < 2_900_000


@pytest.mark.parametrize("cut", [("conv4",), ("stage4", "stage4"), ("stage32",)])
def test_unknown_cuts_are_refused(cut: tuple[str, ...]) -> None:
    with pytest.raises(BadOption, match="stage4, stage8, stage16"):
        load_efficientnet_lite0(cut)


def test_foreign_weights_are_refused() -> None:
    with pytest.raises(BadOption, match=r"resnet\.h5.*resnet50"):
        load_efficientnet_lite0(weights=Path("resnet.h5"))


def test_encoding_imports_no_deep_learning_framework() -> None:
    program = """
import sys
import numpy as np
from atypia.encoders import load_encoder
load_encoder("efficientnet-lite0")(np.zeros((1, 32, 32), np.float32))
print(sorted({"keras", "tensorflow", "torch", "jax"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
