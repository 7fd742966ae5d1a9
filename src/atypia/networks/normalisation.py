"""Batch normalisation for training, at a fraction of what Keras' own costs on TensorFlow."""

from __future__ import annotations

from functools import cache
from typing import Any

from atypia.keras_backend import keras


def batch_normalisation(momentum: float) -> Any:
    """Return a layer that normalises over the batch while training, by moving means while scoring.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015, algorithm 1, as Keras has it, but for rounding.
    """
    return batch_normalisation_class()(momentum=momentum)


@cache
def batch_normalisation_class() -> Any:
    """Return the class of the layer, which a saved network names BatchNormalisation."""
    k = keras()
    if k.backend.backend() != "tensorflow":
        return k.layers.BatchNormalization

    class BatchNormalisation(k.layers.BatchNormalization):  # type: ignore[misc, name-defined]
        """Keras' layer, whose sums over pictures TensorFlow takes in one operation while training."""

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not training or not self.trainable or mask is not None or len(inputs.shape) != 4:
                return super().call(inputs, training=training, mask=mask)
            normal, mean, variance = _normalised(self, inputs)
            for kept, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                kept.assign(kept * self.momentum + now * (1 - self.momentum))
            return normal

    return BatchNormalisation


def _normalised(layer: Any, inputs: Any) -> tuple[Any, Any, Any]:
    """Return what a layer makes of pictures (N, h, w, C), with their mean and variance, (C,) each."""
    import tensorflow as tf

    nothing = tf.zeros([0])
    found = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma,
        offset=layer.beta,
        mean=nothing,
        variance=nothing,
        epsilon=layer.epsilon,
        is_training=True,
    )
    values = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    # The operation gives the variance of a sample, n/(n-1) times Keras' own.
    return found.y, found.batch_mean, found.batch_variance * ((values - 1) / values)
