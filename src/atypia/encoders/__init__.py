"""Frozen pretrained networks, run by ONNX Runtime: from prepared pixels to feature maps."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from atypia.encoders.base import Encoder
from atypia.encoders.efficientnet_lite0 import load_efficientnet_lite0
from atypia.encoders.resnet50 import load_resnet50
from atypia.encoders.weights import weights_at_hand
from atypia.errors import BadOption

__all__ = ["AUTO", "ENCODERS", "Encoder", "deepest_cut", "load_encoder", "resolve_encoder"]

AUTO = "auto"


class Loader(Protocol):
    """What loads one kind of encoder; a cut of None is the encoder's own default."""

    def __call__(
        self, cut: tuple[str, ...] | None, *, weights: Path | None, threads: int | None
    ) -> Encoder: ...


ENCODERS: dict[str, Loader] = {
    "resnet50": load_resnet50,
    "efficientnet-lite0": load_efficientnet_lite0,
}


def load_encoder(
    name: str = AUTO,
    *,
    cut: tuple[str, ...] | None = None,
    weights: Path | None = None,
    threads: int | None = None,
) -> Encoder:
    """Return an encoder by its name, cut where asked, else at the encoder's own default.

    `auto` takes ResNet50 if its weights are at hand (it downloads nothing), else the embedded
    EfficientNet-lite0; the returned encoder's `name` says which.
    Raises BadOption for an unknown name or cut, WeightsError where weights cannot be had.
    """
    return ENCODERS[resolve_encoder(name, weights)](cut, weights=weights, threads=threads)


def resolve_encoder(name: str, weights: Path | None = None) -> str:
    """Return what `auto` stands for here, and any other name as it is; raise BadOption for none."""
    if name in ENCODERS:
        return name
    if name != AUTO:
        raise BadOption(f"Expected an encoder out of {', '.join([AUTO, *ENCODERS])}, received '{name}'.")
    return "resnet50" if weights_at_hand(weights) is not None else "efficientnet-lite0"


SCALES: dict[str, tuple[str, ...]] = {
    "resnet50": ("conv2", "conv3", "conv4"),
    "efficientnet-lite0": ("stage4", "stage8", "stage16"),
}
"""Name -> the cuts that detectors use, finest first; ResNet50's conv5 is tuned to ImageNet's classes."""


def deepest_cut(name: str, weights: Path | None, scales: int) -> tuple[str, ...]:
    """Return the deepest `scales` cuts of an encoder, `auto` being resolved as `load_encoder` does."""
    cuts = SCALES[resolve_encoder(name, weights)]
    if not 1 <= scales <= len(cuts):
        raise BadOption(f"Expected between 1 and {len(cuts)} scales, received {scales}.")
    return cuts[-scales:]
