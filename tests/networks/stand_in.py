"""A network of one weight, with what the training loop asks of Keras; as a program it waits to be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from atypia.networks.recipe import Recipe
from atypia.networks.reconstructor import plan_of
from atypia.networks.training import train


class Variable:
    def __init__(self, value) -> None:
        self.value = np.array(value, np.float32)
        self.given: list[float] = []

    @property
    def shape(self):
        return self.value.shape

    def assign(self, value) -> None:
        self.value = np.array(value, np.float32).reshape(self.value.shape)
        self.given.append(float(self.value.mean()))

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)


class Momentum:
    """The optimizer: its state has to be restored as well, or the resumed run is another."""

    def __init__(self) -> None:
        self.variables: list[Variable] = []

    def build(self, variables) -> None:
        self.variables = [Variable(np.zeros(v.shape)) for v in variables]


class StandIn:
    """Learns `truth = weight * input`; `delay` seconds a step give a killer its time."""

    def __init__(self, delay: float = 0.0) -> None:
        self.weight, self.kl_now = Variable(np.zeros(1)), Variable(np.zeros(()))
        self.trainable_variables = [self.weight]
        self.variables = [self.weight, self.kl_now]
        self.optimizer = Momentum()
        self.delay = delay
        self.batches: list[int] = []
        self.reset_metrics()

    def reset_metrics(self) -> None:
        self._sum, self._count = 0.0, 0

    def train_on_batch(self, inputs, truth, return_dict):
        assert return_dict
        time.sleep(self.delay)
        with np.errstate(over="ignore", invalid="ignore"):
            error = self.weight.value * inputs[0] - truth
            speed = self.optimizer.variables[0]
            speed.assign(0.9 * speed.value - 0.02 * np.mean(error * inputs[0]))
            self.weight.assign(self.weight.value + speed.value)
        self.batches.append(len(truth))
        return self._told(error)

    def test_on_batch(self, inputs, truth, return_dict):
        assert return_dict
        return self._told(self.weight.value * inputs[0] - truth)

    def _told(self, error):
        """Answer as Keras does: with the mean since the last reset."""
        with np.errstate(over="ignore"):
            self._sum += float(np.mean(error**2)) * len(error)
        self._count += len(error)
        return {"loss": self._sum / self._count}


class Lines:
    """Examples whose truth is three times their input."""

    fingerprint = "lines"

    def __init__(self, count: int = 13, seed: int = 0) -> None:
        self.inputs = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
        self.asked: list[tuple[tuple[int, ...], int]] = []

    def __len__(self) -> int:
        return len(self.inputs)

    def get(self, indices, view):
        self.asked.append((tuple(int(i) for i in indices), view))
        return [self.inputs[indices]], 3 * self.inputs[indices]


def be_killed_while_saving(epoch: int) -> None:
    """Let the process die with half of this epoch's checkpoint written."""
    whole, calls = np.savez, []

    def half(file, **arrays):
        calls.append(1)
        whole(file, **arrays)
        if len(calls) == epoch:
            file.truncate(file.tell() // 2)
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    np.savez = half


def main(checkpoint: str, epochs: str, kill_at: str) -> None:
    if int(kill_at):
        be_killed_while_saving(int(kill_at))
    recipe = Recipe(epochs=int(epochs), batch_size=4)
    model = StandIn(delay=0.002)
    train(model, Lines(), plan_of(recipe, model, 5, Path(checkpoint), resume=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
