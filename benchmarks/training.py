"""How near training comes to what the machine can compute: FLOP/s of a step against a large matrix product.

    python benchmarks/training.py [--scans 1400] [--epochs 80] [--steps 20] [--rounds 3] [--only NAME ...]

Networks: the published recipe's on features of ResNet50, the shipped autoencoder's on those of EfficientNet
Lite0, and the U-Nets of lesion-simulation and denoising, all with batches and widths as they are trained, on
made-up numbers, with Keras' backend of the moment. What reads and alters scans is left out; it works in
another thread.

Counted are the products of convolutions, transposed convolutions and dense layers: 2 operations for each
weight and each place that it is used at (a transposed convolution: each place of its input), for each scan;
forward once, and backward once for the weights, if they are trained, and once for the inputs, if something
below is trained. All else (normalisation, pooling, losses, the optimizer) counts as none. The peak is a
product of two 2048x2048 matrices by the same backend in the same precision, in the same round. Told are the
medians of the rounds, by the processor's time and by the time that passed; on a GPU only the latter means
anything. Epochs are of --scans scans, and the last column is the time for --epochs of them.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from atypia.keras_backend import acceleration, keras
from atypia.networks.network import build
from atypia.networks.optimizer import one_cycle
from atypia.networks.recipe import RECIPES
from atypia.networks.reconstructor import make_reconstructor
from atypia.networks.restorer import make_restorer
from atypia.networks.segmenter import make_segmenter
from atypia.networks.unet import build_unet
from atypia.networks.whitening import Whitening

SIDE = 2048
SIZE, CANVAS, U_BATCH = 224, 112, 16
SHAPES = {"reference": [(14, 14, 1024)], "autoencoder": [(28, 28, 40), (14, 14, 112)]}


@dataclass(frozen=True, eq=False)
class Trainee:
    """A compiled network with a batch for it."""

    name: str
    model: Any
    inputs: list[np.ndarray]
    truth: np.ndarray

    def step(self) -> None:
        """Train on the batch."""
        self.model.train_on_batch(self.inputs, self.truth, return_dict=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=1400)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(MAKERS), default=list(MAKERS))
    asked = parser.parse_args()
    k = keras()
    print(f"Keras {k.__version__} on {k.backend.backend()}, {acceleration()}")
    print("network | GFLOP a step | step ms: processor, passed | GFLOP/s | of the peak | epochs/s | minutes")
    for name in asked.only:
        trainee = MAKERS[name](np.random.default_rng(0))
        work, size = flops(trainee.model) * len(trainee.truth), len(trainee.truth)
        rounds = [_round(trainee, asked.steps) for _ in range(asked.rounds)]
        used, passed, peak_used, peak_passed = (statistics.median(one) for one in zip(*rounds, strict=True))
        by_used = statistics.median(work / used / peak for used, _, peak, _ in rounds)
        by_passed = statistics.median(work / passed / peak for _, passed, _, peak in rounds)
        epoch = passed * math.ceil(asked.scans / size)
        print(
            f"{name} | {work / 1e9:.1f} | {used * 1e3:.0f}, {passed * 1e3:.0f} | "
            f"{work / used / 1e9:.0f} of {peak_used / 1e9:.0f}, {work / passed / 1e9:.0f} of "
            f"{peak_passed / 1e9:.0f} | {by_used:.2f}, {by_passed:.2f} | {1 / epoch:.3f} | "
            f"{asked.epochs * epoch / 60:.1f}",
            flush=True,
        )


def _round(trainee: Trainee, steps: int) -> tuple[float, float, float, float]:
    """Return seconds of a step, and FLOP/s of the matrix product, by the processor and by the clock."""
    used, passed = _timed(trainee.step, steps)
    product = _product()
    peak_used, peak_passed = _timed(product, 8)
    return used, passed, 2 * SIDE**3 / peak_used, 2 * SIDE**3 / peak_passed


def _product() -> Callable[[], object]:
    ops, precision = keras().ops, acceleration().precision
    values = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    matrix = ops.cast(ops.convert_to_tensor(values), precision)
    # Its sum is fetched, for a GPU answers before it is done.
    return lambda: float(ops.convert_to_numpy(ops.cast(ops.matmul(matrix, matrix)[0, 0], "float32")))


def _timed(work: Callable[[], object], times: int) -> tuple[float, float]:
    for _ in range(2):
        work()
    used, passed = time.process_time(), time.perf_counter()
    for _ in range(times):
        work()
    return (time.process_time() - used) / times, (time.perf_counter() - passed) / times


def flops(model: Any) -> float:
    """Return the products of one training step for one scan, by the rule above."""
    return sum(_of_layer(layer, trained_below) for layer, trained_below in _layers(model))


def _layers(model: Any, below: bool = False) -> Iterator[tuple[Any, bool]]:
    """Yield the layers in their order, each with whether anything before it is trained."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer, below)
        else:
            yield layer, below
        below = below or bool(layer.trainable_weights)


def _of_layer(layer: Any, trained_below: bool) -> float:
    layers = keras().layers
    if not isinstance(layer, layers.Dense | layers.Conv2D | layers.Conv2DTranspose):
        return 0.0
    across = layer.input if isinstance(layer, layers.Conv2DTranspose) else layer.output
    places = math.prod(across.shape[1:-1])
    passes = 1 + bool(layer.trainable_weights) + trained_below
    return 2.0 * math.prod(layer.kernel.shape) * places * passes


def _autoencoder(name: str, rng: np.random.Generator) -> Trainee:
    recipe, shapes = RECIPES[name], SHAPES[name]
    kept = min(recipe.whiten, *(shape[-1] for shape in shapes)) if recipe.whiten else 0
    rows = [rng.random((256, shape[-1]), dtype=np.float32) for shape in shapes]
    whitening = [Whitening.learn(row, kept) for row in rows] if kept else []
    network = build(recipe, shapes, SIZE, whitening, 0)
    model = make_reconstructor(network, recipe, network.features)
    inputs = [rng.random((recipe.batch_size, *shape), dtype=np.float32) for shape in shapes]
    return Trainee(name, model, inputs, rng.random((recipe.batch_size, SIZE, SIZE), dtype=np.float32))


def _lesion_simulation(rng: np.random.Generator) -> Trainee:
    model = make_segmenter(build_unet(CANVAS, 3, 1, head="glorot_uniform"), one_cycle(3e-3, 1000))
    inputs = rng.random((U_BATCH, CANVAS, CANVAS, 3), dtype=np.float32)
    truth = (rng.random((U_BATCH, CANVAS, CANVAS, 1)) > 0.9).astype(np.float32)
    return Trainee("lesion-simulation", model, [inputs], truth)


def _denoising(rng: np.random.Generator) -> Trainee:
    model = make_restorer(build_unet(CANVAS, 1, 1), one_cycle(3e-3, 800), "squared")
    inputs, truth = (rng.random((U_BATCH, CANVAS, CANVAS, c), dtype=np.float32) for c in (1, 2))
    return Trainee("denoising", model, [inputs], truth)


MAKERS: dict[str, Callable[[np.random.Generator], Trainee]] = {
    "reference": lambda rng: _autoencoder("reference", rng),
    "autoencoder": lambda rng: _autoencoder("autoencoder", rng),
    "lesion-simulation": _lesion_simulation,
    "denoising": _denoising,
}


if __name__ == "__main__":
    main()
