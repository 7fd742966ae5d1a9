"""The one training loop: progress with time left, a checkpoint after every epoch, resuming after a kill."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from atypia.errors import TrainingDiverged
from atypia.in_order import in_order
from atypia.networks.checkpoint import Checkpoint, History
from atypia.networks.means import Means

# Fewer, and writing the checkpoints would take its time from a training on few scans.
STEPS_PER_EPOCH = 25

Inputs = list[NDArray[np.float32]]
Truth = NDArray[np.float32]


class Examples(Protocol):
    """What the loop reads: `inputs` for the network and the `truth` float32 (n, ...) it shall give.

    `fingerprint` names all that is read; a checkpoint of other examples is not gone on from.
    """

    fingerprint: str

    def __len__(self) -> int: ...

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[Inputs, Truth]:
        """Return inputs and truth of these scans in their `view`-th altered copy (0: unaltered).

        Where the plan's `views` is 0, `view` counts the passes over the scans: what is drawn from (seed,
        view, index) is then new in every pass, and the same in a training that was resumed.
        """


@dataclass(frozen=True)
class Plan:
    """How to train.

    `settings` are the JSON values that name what is trained: a checkpoint of others is not gone on from.
    The number of epochs may be raised afterwards, and is in `settings` only where a schedule follows it.
    `checkpoint` is the file that is written after every epoch; `resume`: go on from what lies there.
    `learning_rate` is the highest, told where the loss diverges; the model's own optimizer is what uses it.
    An epoch is `rounds` passes over the scans. `epoch_size`: scans drawn anew for each pass; 0 takes all.
    `views`: the copies that the passes read in turn; 0 gives each pass its own number.
    `ahead`: batches that are read before their turn.
    `before_epoch` is called with 0, 1, ... as each epoch begins.
    `line` of the terminal, from 0, is where the bar is drawn; others draw theirs above.
    """

    settings: Mapping[str, Any]
    seed: int
    checkpoint: Path
    epochs: int
    batch_size: int
    learning_rate: float
    rounds: int = 1
    epoch_size: int = 0
    views: int = 1
    resume: bool = False
    ahead: int = 1
    before_epoch: Callable[[int], None] | None = None
    line: int = 0


class Pace(NamedTuple):
    """So many epochs of so many passes of so many scans, all batches being of one size; steps in all."""

    epochs: int
    rounds: int
    epoch_size: int
    steps: int


def pace(steps: int, scans: int, batch_size: int) -> Pace:
    """Return how to make about `steps` steps over so many scans, in epochs of at least STEPS_PER_EPOCH.

    >>> pace(steps=800, scans=257, batch_size=16)
    Pace(epochs=25, rounds=2, epoch_size=256, steps=800)
    """
    per_pass = max(1, scans // batch_size)
    rounds = -(-min(steps, STEPS_PER_EPOCH) // per_pass)
    epochs = max(1, round(steps / (rounds * per_pass)))
    return Pace(epochs, rounds, min(scans, per_pass * batch_size), epochs * rounds * per_pass)


def train(model: Any, examples: Examples, plan: Plan, mixed: Examples | None = None) -> History:
    """Train a compiled Keras model and return, per epoch, the mean of the loss and of its parts.

    A schedule of the learning rate is the optimizer's own: its count of steps is in the checkpoint.
    `mixed` is a labelled set whose loss is told per epoch as `validation_loss`; it chooses nothing.
    Raises TrainingDiverged on a loss that is not finite; the last epoch's checkpoint stays.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    checkpoint = Checkpoint(plan.checkpoint, _key(plan, examples))
    history = checkpoint.restore(variables, plan.epochs) if plan.resume else []
    # numpy's own threads would wait for cores that the network computes on, and keep them busy meanwhile.
    with threadpool_limits(1, "blas"), _bar(plan, len(history), _steps(plan, examples)) as bar:
        for epoch in range(len(history), plan.epochs):
            started = time.perf_counter()
            logs = _one_epoch(model, examples, plan, epoch, bar)
            if mixed is not None:
                logs |= _mixed_loss(model, mixed, plan.batch_size)
            history.append({"epoch": epoch + 1, **logs, "seconds": round(time.perf_counter() - started, 3)})
            checkpoint.save(variables, history)
            _tell(history[-1], plan, bar)
    return history


def _bar(plan: Plan, done: int, steps: int) -> Any:
    total, initial = plan.epochs * steps, done * steps
    label = f"training {_beside_others(plan)}".rstrip()
    place = plan.line or None
    return tqdm(total=total, initial=initial, desc=label, unit="step", disable=None, position=place)


def _one_epoch(model: Any, examples: Examples, plan: Plan, epoch: int, bar: Any) -> dict[str, float]:
    if plan.before_epoch is not None:
        plan.before_epoch(epoch)
    means = Means()
    for inputs, truth in _batches(examples, plan, epoch):
        model.reset_metrics()  # or some versions of Keras answer with the mean of all batches so far
        means.add(model.train_on_batch(inputs, truth, return_dict=True), len(truth))
        loss = means.values["loss"]
        if not math.isfinite(loss):
            raise _diverged(plan, epoch, [*inputs, truth])
        bar.update()
        bar.set_postfix(epoch=f"{epoch + 1}/{plan.epochs}", loss=f"{loss:.4f}", refresh=False)
    return means.values


def _diverged(plan: Plan, epoch: int, read: list[NDArray[np.float32]]) -> TrainingDiverged:
    kept = f"The state after epoch {epoch} is kept in {plan.checkpoint}" if epoch else "Nothing was kept"
    if all(np.isfinite(array).all() for array in read):
        cause = f"the learning rate {plan.learning_rate:g} is too high"
        way = "train anew with a smaller learning rate"
    else:
        cause, way = "what was read holds values that are no numbers", "look at the scans and weights given"
    return TrainingDiverged(
        f"The loss is no longer a number in epoch {epoch + 1}. Likely cause: {cause}. {kept}; {way}."
    )


def _pass_length(plan: Plan, examples: Examples) -> int:
    return min(plan.epoch_size or len(examples), len(examples))


def _steps(plan: Plan, examples: Examples) -> int:
    return plan.rounds * -(-_pass_length(plan, examples) // plan.batch_size)


def _order(plan: Plan, examples: Examples, number: int) -> NDArray[np.intp]:
    """Draw a pass's scans in their order, from seed and number alone, so that a resumed run is the same."""
    rng = np.random.default_rng((plan.seed, 1, number))
    return rng.permutation(len(examples))[: _pass_length(plan, examples)]


def _batches(examples: Examples, plan: Plan, epoch: int) -> Iterator[tuple[Inputs, Truth]]:
    """Yield the epoch's batches, read in a thread of their own while the one before is trained on."""
    parts = []
    for number in range(epoch * plan.rounds, (epoch + 1) * plan.rounds):
        order, view = _order(plan, examples, number), number % plan.views if plan.views else number
        parts += [(order[i : i + plan.batch_size], view) for i in range(0, len(order), plan.batch_size)]
    return in_order(lambda part: examples.get(*part), parts, workers=1, ahead=1 + plan.ahead)


def _mixed_loss(model: Any, mixed: Examples, size: int) -> dict[str, float]:
    """Return the mean loss of the set; nothing where it is not a number, which no file could keep."""
    means = Means()
    for start in range(0, len(mixed), size):
        inputs, truth = mixed.get(np.arange(start, min(start + size, len(mixed))), 0)
        model.reset_metrics()
        means.add(model.test_on_batch(inputs, truth, return_dict=True), len(truth))
    loss = means.values["loss"]
    return {"validation_loss": loss} if math.isfinite(loss) else {}


def _beside_others(plan: Plan) -> str:
    """Return the name of what is trained where others are trained beside it."""
    return str(plan.settings.get("trained", "")) if plan.line else ""


def _tell(entry: dict[str, float], plan: Plan, bar: Any) -> None:
    """Print some ten lines in all where there is no terminal to draw a bar on."""
    epochs = plan.epochs
    if sys.stderr.isatty() or (entry["epoch"] % max(1, epochs // 10) and entry["epoch"] != epochs):
        return
    told = ", ".join(f"{k} {v:.4f}" for k, v in entry.items() if k not in ("epoch", "seconds"))
    name = _beside_others(plan)
    bar.write(
        f"{name}{': ' if name else ''}epoch {int(entry['epoch'])}/{epochs}: {told}, {entry['seconds']:.1f} s",
        file=sys.stderr,
    )


def _key(plan: Plan, examples: Examples) -> str:
    """Name the training that a checkpoint belongs to."""
    text = json.dumps([plan.settings, plan.seed, examples.fingerprint, len(examples)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
