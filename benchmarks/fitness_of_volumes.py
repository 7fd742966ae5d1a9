"""Fitted on slices of one volume, does the check of fitness still judge those of another patient?

    python benchmarks/fitness_of_volumes.py VOLUME VOLUME [...] --others FOLDER [--count 60]

For each pair of volumes the check learns from four fifths of the slices of one, drawn at random, and is
calibrated on the other fifth. Told are the shares called unfit among the slices of the other volume, and
among pictures foreign to both, such as CT, by distance alone and by all rules: with the usual margin,
and with the one for patients that stand on both sides.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

from atypia.detectors import Batch
from atypia.fitness import Fitness
from atypia.loading import in_batches, load
from atypia.preparation import Preparation
from atypia.reading.collection import read_collection
from atypia.reading.row import Row
from atypia.screener.prepared_folder import prepare_to_folder, scratch

PREPARATION = Preparation()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("volumes", type=Path, nargs="+")
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60, help="of the others, the first so many")
    options = parser.parse_args()
    foreign = read_collection(options.others).rows[: options.count]
    print("learned from -> judged, margin | limit | unfit | others unfit by distance | others unfit")
    for learned, judged in permutations(options.volumes, 2):
        rows = read_collection(learned).rows
        order = np.random.default_rng(1).permutation(len(rows))
        parts = [[rows[place] for place in half] for half in np.split(order, [round(0.8 * len(rows))])]
        for apart in (True, False):
            fitness = learn(parts[0], parts[1], apart=apart)
            shares = [share(fitness, read_collection(judged).rows), *both(fitness, foreign)]
            told = " | ".join(f"{one:.3f}" for one in shares)
            names = f"{learned.parent.name} -> {judged.parent.name}"
            print(
                f"{names}, {'usual' if apart else 'wider'} | {fitness.distance.value:.2f} | {told}",
                flush=True,
            )


def learn(train: Sequence[Row], aside: Sequence[Row], *, apart: bool) -> Fitness:
    with scratch() as folder:
        sides = [
            prepare_to_folder(rows, PREPARATION, Path(folder) / name, label=name)[0]
            for name, rows in (("train", train), ("aside", aside))
        ]
        found = Fitness.learn(*sides, apart=apart)
    assert found is not None
    return found


def share(fitness: Fitness, rows: Sequence[Row]) -> float:
    return both(fitness, rows)[1]


def both(fitness: Fitness, rows: Sequence[Row]) -> tuple[float, float]:
    """Return the shares unfit by distance alone, and by all rules."""
    by_distance: list[bool] = []
    by_any: list[bool] = []
    for _, batch in in_batches(load(rows, PREPARATION), 32):
        if isinstance(batch, Batch):
            reasons = [verdict.reason or "" for verdict in fitness.judge(batch.pixels, batch.foreground)]
            by_any += [bool(reason) for reason in reasons]
            without_ct = Fitness(
                fitness.familiar, fitness.distance, fitness.noise, False, fitness.learned, fitness.left_out
            )
            verdicts = without_ct.judge(batch.pixels, batch.foreground)
            by_distance += [(verdict.reason or "").startswith("unlike any") for verdict in verdicts]
    return float(np.mean(by_distance)), float(np.mean(by_any))


if __name__ == "__main__":
    main()
