"""EfficientNet-lite0 with ImageNet weights, embedded in the package up to stride 16; three places to cut it.

Tan and Le 2019, "EfficientNet: rethinking model scaling", https://arxiv.org/abs/1905.11946; the lite variant
has no squeeze-and-excitation and ReLU6 for its activation.
The graph beside this file is made by `tools/convert_efficientnet_lite0.py`; NOTICE says where it comes from.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from atypia.encoders.base import Encoder
from atypia.encoders.graph import prune
from atypia.errors import BadOption

NAME = "efficientnet-lite0"
DEFAULT_CUT = ("stage16",)
# Each cut is the end of the last block at its stride: stride and channels.
CUTS = {"stage4": (4, 24), "stage8": (8, 40), "stage16": (16, 112)}


def load_efficientnet_lite0(
    cut: tuple[str, ...] | None = None, *, weights: Path | None = None, threads: int | None = None
) -> Encoder:
    """Return the embedded encoder, without the layers that the cut does not need.

    Raises BadOption for an unknown cut, and for `weights`, of which it has only its own.
    """
    cut = cut or DEFAULT_CUT
    if weights is not None:
        raise BadOption(f"Encoder {NAME} has its own weights: leave out {weights}, or choose resnet50.")
    if not set(cut) <= set(CUTS) or len(set(cut)) != len(cut):
        raise BadOption(
            f"Encoder {NAME}: expected different cuts out of {', '.join(CUTS)}, received {', '.join(cut)}."
        )
    graph = files("atypia.encoders").joinpath("efficientnet_lite0.onnx").read_bytes()
    return Encoder(
        name=NAME,
        cut=cut,
        strides=tuple(CUTS[name][0] for name in cut),
        channels=tuple(CUTS[name][1] for name in cut),
        graph=prune(graph, cut),
        threads=threads,
    )
