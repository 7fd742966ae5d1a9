"""An encoder that has gone on learning on the healthy scans, so that what tells them apart weighs more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from atypia.detectors.altered_twins import AlteredTwins
from atypia.detectors.batch import batches
from atypia.detectors.fit_context import FitContext
from atypia.detectors.views import Views
from atypia.encoders import AUTO, ENCODERS, Encoder
from atypia.encoders.trainable import trainable
from atypia.errors import BadOption
from atypia.networks.adaptation import centres_of, make_adapting
from atypia.networks.checkpoint import History
from atypia.networks.optimizer import one_cycle
from atypia.networks.training import Plan, pace, train
from atypia.scan import Image

BATCH, LEARNING_RATE, AT_ONCE = 16, 1e-5, 32


def check_adapt(steps: int, encoder: str) -> None:
    """Raise BadOption for a number of steps that makes no sense, or an encoder that cannot be trained."""
    if steps < 0:
        raise BadOption(f"Expected adapt of at least 0 steps; received {steps}.")
    if steps and encoder not in (AUTO, *ENCODERS):
        raise BadOption(
            f"Adaptation is for the encoders {' and '.join(ENCODERS)}; received {encoder}. Choose one of "
            "them, or leave out 'adapt'."
        )


def adapted(encoder: Encoder, views: Views, context: FitContext, steps: int) -> tuple[Encoder, History]:
    """Return an encoder trained on for about `steps` steps without labels, and the losses of each epoch.

    It is the one that was given, and no history, for 0 steps. A checkpoint is kept in the context's folder.
    Raises BadOption for an encoder that cannot be trained, MissingExtra without Keras, TrainingDiverged.
    """
    if not steps:
        return encoder, []
    network = trainable(encoder, views.size)
    way = pace(steps, views.count, BATCH)
    optimizer = one_cycle(LEARNING_RATE, way.steps)
    model = make_adapting(network.model, centres_of(encoder(part) for part in _parts(views)), optimizer)
    plan = Plan(
        settings={"trained": "encoder", "adapt": steps},
        seed=context.seed,
        checkpoint=context.work / "checkpoint.npz",
        epochs=way.epochs,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        rounds=way.rounds,
        epoch_size=way.epoch_size,
        views=0,
        resume=context.resume,
    )
    history = train(model, AlteredTwins(views, encoder.fingerprint, context.seed), plan)
    return replace(network.trained(), name=f"{encoder.name}, adapted"), history


def _parts(views: Views) -> Iterator[Image]:
    return (views.pixels(0, part) for part in batches(views.count, AT_ONCE))
