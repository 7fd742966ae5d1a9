"""Is a scan fit to be judged: CT against MRI, photographs, noise, and what must stay judged.

    python benchmarks/fitness.py TABLE --data FOLDER [--ct FOLDER] [--mri FOLDER] [--sick FOLDER]

The check learns from the rows `train` of the table and is calibrated on its rows `threshold`, as a Screener
does; no detector is fitted. Told are the shares called unfit among the other rows of the table by label and
split, of CT and MRI with the AUROC of the unfitness between them, of the pictures in --sick, and of pictures
made here: crops of photographs, noise, gradients, text, montages of slices, and slices with noise added.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from scipy import ndimage

from atypia.evaluation.intervals import auroc_interval, share_interval
from atypia.evaluation.metrics import auroc
from atypia.fitness import Fitness, Verdict
from atypia.loading import in_batches, load
from atypia.preparation import Preparation
from atypia.reading.collection import read_collection
from atypia.reading.row import Row
from atypia.scan import Scan
from atypia.screener.prepared_folder import prepare_to_folder, scratch

PREPARATION = Preparation()
WORDS = ["scan", "report", "patient", "slice", "brain", "axial", "sequence", "figure", "table", "no", "date"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--ct", type=Path)
    parser.add_argument("--mri", type=Path)
    parser.add_argument("--sick", type=Path)
    asked = parser.parse_args()
    table = read_collection(asked.table, root=asked.data)
    fitness = learned(table.select(split="train").rows, table.select(split="threshold").rows)
    print(f"{asked.table.name}: {fitness.card()}")
    others = sorted({(row.split or "", row.label or "") for row in table} - {("train", "normal")})
    for split, label in others:
        if split != "threshold":
            tell(f"{split}, {label}", judged(fitness, table.select(split=split, label=label).rows))
    if asked.sick:
        tell("--sick", judged(fitness, read_collection(asked.sick).rows))
    if asked.ct and asked.mri:
        ct, mri = (judged(fitness, read_collection(place).rows) for place in (asked.ct, asked.mri))
        tell("CT", ct)
        tell("MRI", mri)
        value = auroc([one.unfitness for one in [*ct, *mri]], [True] * len(ct) + [False] * len(mri))
        low, high = auroc_interval(value, len(ct), len(mri))
        print(f"CT against MRI: AUROC of the unfitness {value:.3f} (95 % {low:.3f} to {high:.3f})")
    for name, scans in made(table.select(split="train").rows):
        tell(name, judged(fitness, scans))
    told_time(fitness, table.select(split="train").rows)


def learned(train: Sequence[Row], threshold: Sequence[Row]) -> Fitness:
    with scratch() as folder:
        parts = [
            prepare_to_folder(rows, PREPARATION, Path(folder) / name, label=name)[0]
            for name, rows in (("train", train), ("threshold", threshold))
        ]
        fitness = Fitness.learn(*parts)
    assert fitness is not None, "expected at least 5 scans to learn from and 5 for calibration"
    return fitness


def judged(fitness: Fitness, scans: Iterable[Row | Scan]) -> list[Verdict]:
    """Return the verdicts; a picture that cannot be prepared, such as a blank, is not judged either."""
    found = []
    for part, batch in in_batches(load(scans, PREPARATION), 16):
        found += [Verdict(np.inf, "unreadable") for item in part if item.prepared is None]
        if batch is not None:
            heads = [item.prepared.heads for item in part if item.prepared is not None]
            found += fitness.judge(batch.pixels, batch.foreground, heads)
    return found


def tell(name: str, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    unfit = [one for one in verdicts if one.unfitness > 1]
    low, high = share_interval(len(unfit), len(verdicts))
    why = Counter((one.reason or "")[:11] for one in unfit)
    share = (
        f"{len(unfit)} of {len(verdicts)} unfit, {len(unfit) / len(verdicts):.3f} ({low:.3f} to {high:.3f})"
    )
    print(f"{name:24} {share}  {dict(why)}")


def made(healthy: Sequence[Row], seed: int = 1) -> Iterator[tuple[str, list[Scan]]]:
    rng = np.random.default_rng(seed)
    yield "photographs", [as_scan(one) for one in photographs(rng)]
    yield "noise", [as_scan(rng.normal(128, 40, (200 + 4 * n, 240))) for n in range(20)]
    blobs = [ndimage.gaussian_filter(rng.normal(size=(256, 256)), sigma) for sigma in (2, 4, 8, 16, 32)]
    yield "smooth noise", [as_scan(one) for one in blobs]
    yield "gradients and shapes", [as_scan(one) for one in shapes()]
    yield "text", [as_scan(text(rng, n)) for n in range(10)]
    slices = [np.asarray(PIL.Image.open(row.path).convert("L").resize((128, 128))) for row in healthy[:160]]
    yield "montages", [as_scan(montage(rng, slices, n)) for n in range(10)]
    for sigma in (0.1, 0.2, 0.4):
        noisy = [one + rng.normal(0, 255 * sigma, one.shape) for one in slices[:40]]
        yield f"slices, noise {sigma}", [as_scan(np.clip(one, 0, 255)) for one in noisy]


def as_scan(pixels: np.ndarray) -> Scan:
    return Scan(np.asarray(pixels, np.float32), "made")


def photographs(rng: np.random.Generator) -> Iterator[np.ndarray]:
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    whole = [image.mean(2) for image in load_sample_images().images]
    with get_sample_data("grace_hopper.jpg") as file:
        whole.append(np.asarray(PIL.Image.open(file).convert("L"), np.float64))
    yield from whole
    for _ in range(47):
        image, side = whole[rng.integers(len(whole))], int(rng.integers(100, 400))
        top, left = (int(rng.integers(0, length - side)) for length in image.shape)
        yield image[top : top + side, left : left + side]


def shapes() -> Iterator[np.ndarray]:
    rows, columns = np.mgrid[:256, :256].astype(float)
    radius = np.hypot(rows - 128, columns - 128)
    yield from (columns, rows, rows + columns, radius, 200.0 * (radius < 90))
    yield 255.0 * ((rows // 16 + columns // 16) % 2)
    yield 200.0 * ((abs(rows - 128) < 80) & (abs(columns - 128) < 60))


def text(rng: np.random.Generator, number: int) -> np.ndarray:
    image = PIL.Image.new("L", (400, 300), 255 * (number % 2))
    draw = PIL.ImageDraw.Draw(image)
    font = PIL.ImageFont.load_default(9 + number)
    for top in range(8, 290, 14 + number):
        draw.text((8, top), " ".join(rng.choice(WORDS, 12)), fill=255 * (1 - number % 2), font=font)
    return np.asarray(image)


def montage(rng: np.random.Generator, slices: Sequence[np.ndarray], number: int) -> np.ndarray:
    down, across = ((3, 4), (2, 3), (4, 4), (2, 2))[number % 4]
    chosen = [slices[place] for place in rng.integers(0, len(slices), down * across)]
    return np.block([[chosen[a * across + b] for b in range(across)] for a in range(down)])


def told_time(fitness: Fitness, rows: Sequence[Row]) -> None:
    batches = [batch for _, batch in in_batches(load(rows[:64], PREPARATION), 16) if batch is not None]
    started = time.perf_counter()
    for batch in batches:
        fitness.judge(batch.pixels, batch.foreground)
    spent = (time.perf_counter() - started) / sum(len(batch) for batch in batches)
    print(f"{1000 * spent:.1f} ms for each scan")


if __name__ == "__main__":
    main()
