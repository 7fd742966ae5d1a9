"""How long the intervals of `atypia evaluate` take: python benchmarks/bootstrap.py [--images 5000]

Scores, groups, strata, baselines and heat maps are drawn at random; nothing is read from disk. It prints the
seconds of each part on one core, at 2000 resamples unless told otherwise.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402

from atypia.evaluation.baselines import measure_baseline  # noqa: E402
from atypia.evaluation.group_metrics import measure_groups  # noqa: E402
from atypia.evaluation.image_metrics import ImageMetrics  # noqa: E402
from atypia.evaluation.pixel_counts import PixelCounts  # noqa: E402
from atypia.evaluation.resampling import RESAMPLES  # noqa: E402
from atypia.evaluation.strata import COLUMNS, Parting  # noqa: E402
from atypia.evaluation.verdicts import Verdicts  # noqa: E402
from atypia.scalars import TRIVIAL  # noqa: E402

SLICES = 4
SIDE = 128
MAPS = 500


def draw(images: int, rng: np.random.Generator) -> Verdicts:
    """Draw verdicts on `images` slices, four to a patient, of three kinds, planes, sequences and scanners."""
    labels = rng.random(images) < 0.5
    scores = rng.normal(size=images) + 1.5 * labels
    names = tuple(map(str, range(images)))

    def column() -> tuple[str, ...]:
        return tuple(rng.choice(["first", "second", "third"], images).tolist())

    return Verdicts(
        names,
        column(),
        scores,
        rng.random(images),
        labels,
        scores > 1,
        tuple(f"patient {place // SLICES}" for place in range(images)),
        {name: column() for name in COLUMNS[1:]},
    )


def timed(name: str, work: Callable[[], object]) -> float:
    """Print and return the seconds that the work takes."""
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(f"{name:45} {seconds:7.2f} s")
    return seconds


def pixels(counts: PixelCounts, rng: np.random.Generator, maps: int) -> None:
    """Count made-up maps, half of them with a lesion, four to a patient."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    for place in range(maps):
        top, left = rng.uniform(0.3, 0.7, 2)
        spot = (rows - top) ** 2 + (columns - left) ** 2 < 0.01
        heat = np.abs(rng.normal(size=(SIDE, SIDE))) + 2.0 * spot * (place % 2)
        truth = spot if place % 2 else None
        counts.add(f"patient {place // SLICES}", heat.astype(np.float32), truth, abnormal=bool(place % 2))


def main() -> None:
    """Time every part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    verdicts, count = draw(chosen.images, rng), chosen.resamples
    print(f"{chosen.images} images, {count} resamples, {-(-chosen.images // SLICES)} groups")
    parting = Parting(verdicts, 1.0, resamples=count)
    numbers = rng.normal(size=(len(TRIVIAL), chosen.images))
    total = timed("image figures", lambda: ImageMetrics.of(verdicts, 1.0, resamples=count))
    total += timed("figures of groups", lambda: measure_groups(verdicts, 1.0, count))
    total += timed("four kinds of strata", lambda: [parting.by(column) for column in COLUMNS])
    total += timed(
        f"{len(TRIVIAL)} baselines, paired",
        lambda: [measure_baseline("x", "x", values, verdicts, count) for values in numbers],
    )
    print(f"{'all figures of images':45} {total:7.2f} s")
    counts = PixelCounts(1.5)
    timed(f"counting {MAPS} maps of {SIDE} x {SIDE} with their lesions", lambda: pixels(counts, rng, MAPS))
    timed("pixel and lesion figures of those", lambda: counts.metrics(count))


if __name__ == "__main__":
    main()
