"""A small U-Net for pictures, quick on a processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atypia.errors import BadOption
from atypia.keras_backend import keras
from atypia.networks.acceleration import building, exact
from atypia.networks.normalisation import batch_normalisation

WIDTHS = (16, 32, 64, 96)
# Small sets of scans give few steps: Keras' own 0.99 would still be near its start when training ends.
MOMENTUM = 0.9


def build_unet(
    size: int | tuple[int, int],
    channels_in: int,
    channels_out: int,
    widths: Sequence[int] = WIDTHS,
    seed: int = 0,
    head: str = "zeros",
) -> Any:
    """Return a Keras model from pictures (N, H, W, channels_in) to logits (N, H, W, channels_out).

    Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI
    2015, with batch normalisation, a first convolution of stride 2, and a last one whose channels are laid
    out as the 2x2 pixels of each place (Shi et al., "Real-time single image and video super-resolution using
    an efficient sub-pixel convolutional neural network", CVPR 2016, equation 4): no convolution runs on the
    full grid. Its last layer starts at zero, as suits what changes a picture, or with another initialiser of
    Keras as `head`. Same seed, same weights.
    It is a part of the models that are trained and exported, for `train` hands every input as one of a list.
    Raises BadOption unless height and width are multiples of 2 ** len(widths).
    """
    height, width = (size, size) if isinstance(size, int) else size
    step = 2 ** len(widths)
    if not widths or min(widths) < 1:
        raise BadOption(f"Expected one or more widths above 0; received {tuple(widths)}.")
    if height % step or width % step:
        raise BadOption(
            f"Expected pictures whose sides are multiples of {step}, received {height}x{width}. "
            f"Choose another size for the preparation, or fewer widths."
        )
    layers = keras().layers
    with building(seed):
        pictures = keras().Input((height, width, channels_in), name="pictures")
        x = _normal(layers.Conv2D(widths[0], 3, strides=2, padding="same", use_bias=False)(pictures))
        skipped = []
        for stage, channels in enumerate(widths):
            x = _twice(layers.MaxPooling2D(2)(x) if stage else x, channels)
            skipped.append(x)
        for skip, channels in zip(skipped[-2::-1], widths[-2::-1], strict=True):
            x = layers.UpSampling2D(2)(x)
            x = _twice(layers.Concatenate()([x, skip]), channels)
        x = layers.Conv2D(4 * channels_out, 1, kernel_initializer=head, name="head")(x)
        return keras().Model(pictures, exact(_depth_to_space(x)), name="unet")


def _twice(x: Any, channels: int) -> Any:
    for _ in range(2):
        x = _normal(keras().layers.Conv2D(channels, 3, padding="same", use_bias=False)(x))
    return x


def _normal(x: Any) -> Any:
    layers = keras().layers
    return layers.Activation("relu")(batch_normalisation(MOMENTUM)(x))


def _depth_to_space(x: Any) -> Any:
    """Lay out (N, h, w, 4 C) as (N, 2 h, 2 w, C)."""
    ops = keras().ops
    height, width, channels = x.shape[1], x.shape[2], x.shape[3] // 4
    x = ops.reshape(x, (-1, height, width, 2, 2, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, 2 * height, 2 * width, channels))
