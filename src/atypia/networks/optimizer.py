"""The optimizer that the small convolutional networks share, with its schedule."""

from __future__ import annotations

from typing import Any

from atypia.keras_backend import keras

WARM_UP = 0.15
FIRST = 0.1
WEIGHT_DECAY = 1e-3
STEEPEST = 2.0


def one_cycle(highest: float, steps: int) -> Any:
    """Return AdamW whose learning rate rises for 15 % of the steps to `highest` and falls to 0 by a cosine.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    2018, with one cosine in place of the last two straight lines. Gradients longer than 2 are cut to that.
    """
    k = keras()
    warm_up = max(1, round(WARM_UP * steps))
    schedule = k.optimizers.schedules.CosineDecay(
        initial_learning_rate=FIRST * highest,
        decay_steps=max(1, steps - warm_up),
        warmup_target=highest,
        warmup_steps=warm_up,
    )
    return k.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY, global_clipnorm=STEEPEST)
