"""A U-Net that marks lesions, and the graph that scores with it."""

from __future__ import annotations

from typing import Any

from atypia.keras_backend import keras
from atypia.networks.acceleration import compiled

OUTPUTS = ("evidence",)
# The Dice coefficient of a batch is steadied by so many pixels, so that a batch without lesions has one.
STEADY = 50.0


def make_segmenter(unet: Any, optimizer: Any) -> Any:
    """Return a compiled Keras model `channels (N, h, w, C) -> logits (N, h, w, 1)`; its truth is 0 or 1.

    The loss is twice the cross-entropy plus 1 - the soft Dice coefficient of the whole batch (Milletari et
    al., "V-Net", 3DV 2016, equation 1, without squares).
    """
    k = keras()
    ops = k.ops

    def loss(truth: Any, logits: Any) -> Any:
        cross_entropy = ops.mean(ops.maximum(logits, 0) - logits * truth + ops.softplus(-ops.abs(logits)))
        marked = ops.sigmoid(logits)
        both, either = ops.sum(marked * truth), ops.sum(marked) + ops.sum(truth)
        return 2 * cross_entropy + 1 - (2 * both + STEADY) / (either + STEADY)

    return compiled(k.Model(unet.inputs, unet.outputs), optimizer, loss)


def make_segmenting_scorer(unet: Any) -> Any:
    """Return a Keras model `channels (N, h, w, C) -> evidence (N, h, w)`.

    The evidence is the mean logit of the scan and of its mirror image, mirrored back.
    """
    k = keras()
    ops = k.ops
    channels = k.Input(unet.inputs[0].shape[1:], name="channels")
    mirrored = unet(ops.flip(channels, axis=2))
    return k.Model(channels, ((unet(channels) + ops.flip(mirrored, axis=2)) / 2)[..., 0])
