"""The one training loop: progress with time left, a checkpoint after every epoch, resuming after a kill."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from atypia.errors import TrainingDiverged
from atypia.networks.checkpoint import Checkpoint, History
from atypia.networks.means import Means
from atypia.networks.recipe import Recipe

Inputs = list[NDArray[np.float32]]
Truth = NDArray[np.float32]


class Examples(Protocol):
    """What the loop reads: `inputs` for the network and the `truth` float32 (n, S, S) it shall rebuild."""

    fingerprint: str

    def __len__(self) -> int: ...

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[Inputs, Truth]:
        """Return inputs and truth of these scans in their `view`-th altered copy (0: unaltered)."""


@dataclass(frozen=True)
class Plan:
    """How to train: the recipe, the seed, where the checkpoint lies and whether to go on from it."""

    recipe: Recipe
    seed: int
    checkpoint: Path
    resume: bool = False


def train(model: Any, examples: Examples, plan: Plan, mixed: Examples | None = None) -> History:
    """Train for the recipe's epochs and return, per epoch, the mean of the loss and of its parts.

    `mixed` is a labelled set whose loss is told per epoch as `validation_loss`; it chooses nothing.
    Raises TrainingDiverged on a loss that is not finite; the last epoch's checkpoint stays.
    """
    recipe = plan.recipe
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    checkpoint = Checkpoint(plan.checkpoint, _key(plan, examples))
    history = checkpoint.restore(variables, recipe.epochs) if plan.resume else []
    with _bar(recipe, len(history), _steps(recipe, examples)) as bar:
        for epoch in range(len(history), recipe.epochs):
            started = time.perf_counter()
            logs = _one_epoch(model, examples, plan, epoch, bar)
            if mixed is not None:
                logs |= _mixed_loss(model, mixed, recipe.batch_size)
            history.append({"epoch": epoch + 1, **logs, "seconds": round(time.perf_counter() - started, 3)})
            checkpoint.save(variables, history)
            _tell(history[-1], recipe.epochs, bar)
    return history


def _bar(recipe: Recipe, done: int, steps: int) -> Any:
    total, initial = recipe.epochs * steps, done * steps
    return tqdm(total=total, initial=initial, desc="training", unit="step", disable=None)


def _one_epoch(model: Any, examples: Examples, plan: Plan, epoch: int, bar: Any) -> dict[str, float]:
    recipe = plan.recipe
    model.kl_now.assign(recipe.kl_weight * min(1.0, (epoch + 1) / max(1, recipe.kl_anneal)))
    means = Means()
    order, view = _order(plan, examples, epoch), epoch % (recipe.augment + 1)
    for inputs, truth in _ahead(examples, order, recipe.batch_size, view):
        model.reset_metrics()  # or some versions of Keras answer with the mean of all batches so far
        means.add(model.train_on_batch(inputs, truth, return_dict=True), len(truth))
        loss = means.values["loss"]
        if not math.isfinite(loss):
            raise _diverged(plan, epoch)
        bar.update()
        bar.set_postfix(epoch=f"{epoch + 1}/{recipe.epochs}", loss=f"{loss:.4f}", refresh=False)
    return means.values


def _diverged(plan: Plan, epoch: int) -> TrainingDiverged:
    kept = f"The state after epoch {epoch} is kept in {plan.checkpoint}; train" if epoch else "Train"
    return TrainingDiverged(
        f"The loss is no longer a number in epoch {epoch + 1}. Likely cause: the learning rate "
        f"{plan.recipe.learning_rate:g} is too high. {kept} anew with a smaller --learning-rate."
    )


def _epoch_length(recipe: Recipe, examples: Examples) -> int:
    return min(recipe.epoch_size or len(examples), len(examples))


def _steps(recipe: Recipe, examples: Examples) -> int:
    return -(-_epoch_length(recipe, examples) // recipe.batch_size)


def _order(plan: Plan, examples: Examples, epoch: int) -> NDArray[np.intp]:
    """Draw the epoch's scans in their order, from seed and epoch alone, so that a resumed run is the same."""
    rng = np.random.default_rng((plan.seed, 1, epoch))
    return rng.permutation(len(examples))[: _epoch_length(plan.recipe, examples)]


def _ahead(
    examples: Examples, order: NDArray[np.intp], size: int, view: int
) -> Iterator[tuple[Inputs, Truth]]:
    """Read one batch ahead of the one being trained on."""
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(examples.get, parts[0], view)
        for part in parts[1:]:
            ready, coming = coming.result(), pool.submit(examples.get, part, view)
            yield ready
        yield coming.result()


def _mixed_loss(model: Any, mixed: Examples, size: int) -> dict[str, float]:
    """Return the mean loss of the set; nothing where it is not a number, which no file could keep."""
    means = Means()
    for start in range(0, len(mixed), size):
        inputs, truth = mixed.get(np.arange(start, min(start + size, len(mixed))), 0)
        model.reset_metrics()
        means.add(model.test_on_batch(inputs, truth, return_dict=True), len(truth))
    loss = means.values["loss"]
    return {"validation_loss": loss} if math.isfinite(loss) else {}


def _tell(entry: dict[str, float], epochs: int, bar: Any) -> None:
    """Print some ten lines in all where there is no terminal to draw a bar on."""
    if sys.stderr.isatty() or (entry["epoch"] % max(1, epochs // 10) and entry["epoch"] != epochs):
        return
    told = ", ".join(f"{k} {v:.4f}" for k, v in entry.items() if k not in ("epoch", "seconds"))
    bar.write(f"epoch {int(entry['epoch'])}/{epochs}: {told}, {entry['seconds']:.1f} s", file=sys.stderr)


def _key(plan: Plan, examples: Examples) -> str:
    """Name the training that a checkpoint belongs to; the number of epochs may be raised afterwards."""
    recipe = {k: v for k, v in plan.recipe.to_dict().items() if k != "epochs"}
    text = json.dumps([recipe, plan.seed, examples.fingerprint, len(examples)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
