"""Frozen pretrained networks, run by ONNX Runtime: from prepared pixels to feature maps."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from atypia.encoders import dinov2, keras_application
from atypia.encoders.base import Encoder
from atypia.encoders.converted import RANDOM
from atypia.encoders.efficientnet_lite0 import load_efficientnet_lite0
from atypia.encoders.resnet50 import load_resnet50
from atypia.encoders.weights import weights_at_hand
from atypia.errors import BadOption

__all__ = [
    "AUTO",
    "ENCODERS",
    "FAMILIES",
    "OFFERED",
    "RANDOM",
    "Encoder",
    "deepest_cut",
    "load_encoder",
    "resolve_encoder",
]

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


class FamilyLoader(Protocol):
    """What loads any of a family of encoders by its model's name."""

    def __call__(
        self, model: str, cut: tuple[str, ...] | None, *, weights: Path | None, threads: int | None
    ) -> Encoder: ...


FAMILIES: dict[str, FamilyLoader] = {
    keras_application.FAMILY: keras_application.load_keras_application,
    dinov2.FAMILY: dinov2.load_dinov2,
}
"""What stands in front of the colon -> what loads the model after it; built with Keras once, then cached."""

OFFERED = (
    f"{AUTO}, {', '.join(ENCODERS)}, keras:MODEL (a model of keras.applications such as keras:ConvNeXtTiny) "
    "or hub:MODEL (a DINOv2 of keras-hub such as hub:dinov2_small)"
)
"""The encoders that there are, in words."""


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
    resolved = resolve_encoder(name, weights)
    family, _, model = resolved.partition(":")
    if model:
        return FAMILIES[family](model, cut, weights=weights, threads=threads)
    return ENCODERS[resolved](cut, weights=weights, threads=threads)


def resolve_encoder(name: str, weights: Path | None = None) -> str:
    """Return what `auto` stands for here, and any other name as it is; raise BadOption for none.

    Whether a family has the model is known when it is loaded.
    """
    family, _, model = name.partition(":")
    if name in ENCODERS or (family in FAMILIES and model):
        return name
    if name != AUTO:
        raise BadOption(f"Expected an encoder out of {OFFERED}; received '{name}'.")
    return "resnet50" if weights_at_hand(weights) is not None else "efficientnet-lite0"


SCALES: dict[str, tuple[str, ...]] = {
    "resnet50": ("conv2", "conv3", "conv4"),
    "efficientnet-lite0": ("stage4", "stage8", "stage16"),
    keras_application.FAMILY: ("stride4", "stride8", "stride16"),
    dinov2.FAMILY: tuple(dinov2.CUTS),
}
"""Name or family -> the cuts that detectors use, finest first.

The last stage of most (ResNet50's conv5, stride 32) is tuned to ImageNet's classes, and too coarse.
"""


def deepest_cut(name: str, weights: Path | None, scales: int) -> tuple[str, ...]:
    """Return the deepest `scales` cuts of an encoder, `auto` being resolved as `load_encoder` does."""
    cuts = SCALES[resolve_encoder(name, weights).partition(":")[0]]
    if not 1 <= scales <= len(cuts):
        raise BadOption(f"Expected between 1 and {len(cuts)} scales, received {scales}.")
    return cuts[-scales:]
