"""One table of detectors and recipes on fixed splits, with the trivial figures of the same split beside them.

    python benchmarks/recipes.py --data DIR --weights FILE -o OUT TABLE... [--epochs N] [--only NAME ...]

Finished rows are kept in OUT and not run again. Nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from atypia.detectors import Autoencoder, Nearest
from atypia.evaluation.evaluation import evaluate
from atypia.evaluation.metrics import auroc
from atypia.networks.recipe import RECIPES
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, read_collection
from atypia.reading.picture import read_picture
from atypia.reading.row import Row
from atypia.screener import Screener

# Scalp and skull: about a tenth of the canvas.
RIM = 0.1


def trivial(table: Collection) -> dict[str, float]:
    """Return the AUROC, in the better direction, of numbers that look at no brain or at brightness alone."""
    rows = list(table)
    labels = [row.label == "abnormal" for row in rows]
    values: dict[str, list[float]] = {}
    for row in rows:
        pixels = read_picture(row.path).pixels
        number = {"bytes per pixel": row.path.stat().st_size / pixels.size, "image width": pixels.shape[1]}
        number["mean intensity"] = float(pixels.mean())
        for place, prepared in (("whole head", bright(row)), ("interior", bright(row, RIM))):
            number[f"smoothed intensity of the {place}, 98th percentile"] = prepared
        for name, value in number.items():
            values.setdefault(name, []).append(float(value))
    found = {name: auroc(numbers, labels) for name, numbers in values.items()}
    return {name: max(value, 1 - value) for name, value in found.items()}


def bright(row: Row, rim: float = 0.0) -> float:
    """Return the 98th percentile of the smoothed pixels deeper in the head than a share of the canvas."""
    prepared = Preparation()(read_picture(row.path))
    depth = ndimage.distance_transform_edt(np.pad(prepared.foreground, 1))[1:-1, 1:-1]
    inside = depth > rim * len(prepared.pixels)
    smooth = ndimage.gaussian_filter(prepared.pixels, 2)
    return float(np.percentile(smooth[inside], 98)) if inside.any() else 0.0


def run(name: str, table: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Fit and evaluate one recipe on one table."""
    rows = read_collection(table, root=asked.data)
    if name == "nearest":
        detector, preparation = Nearest("resnet50", asked.weights), Preparation()
    else:
        recipe = replace(
            RECIPES[name], encoder="resnet50", **({"epochs": asked.epochs} if asked.epochs else {})
        )
        detector, preparation = Autoencoder(recipe, asked.weights), Preparation()
        if name == "reference":
            preparation = Preparation(crop=False, aspect="stretch", intensity="range", upright=False)
    screener = Screener(detector, preparation, fitness=False)
    started = time.perf_counter()
    screener.fit(rows, seed=asked.seed)
    seconds = time.perf_counter() - started
    test = rows.select(split="test")
    evaluation = evaluate(
        screener.score(test, heatmaps=True), test, pixel_threshold=screener.healthy_map_.threshold
    )
    return {"name": name, "table": table.stem, "fit_seconds": seconds, **evaluation.to_dict()}


def line(found: dict[str, object]) -> str:
    """Return one row of the table."""
    image, pixel = found["image"], found["pixel"]
    low, high = image["intervals"]["auroc"]
    places = (
        f"{pixel['auroc']:.3f} | {pixel['average_precision']:.3f} | {pixel['best_dice']:.3f}"
        if pixel
        else " | | "
    )
    return (
        f"| {found['table']} | {found['name']} | {image['auroc']:.3f} ({low:.3f} to {high:.3f}) | "
        f"{image['average_precision']:.3f} | {image['accuracy']:.3f} | {image['sensitivity']:.3f} | "
        f"{image['specificity']:.3f} | {places} | {found['fit_seconds'] / 60:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[*RECIPES, "nearest"])
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    columns = ("split", "recipe", "image AUROC (95 %)", "AP", "accuracy", "sensitivity", "specificity")
    columns += ("pixel AUROC", "pixel AP", "best Dice", "fit, min")
    print(f"| {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for table in asked.tables:
        test = read_collection(table, root=asked.data).select(split="test")
        for name, value in trivial(test).items():
            print(f"| {table.stem} | trivial: {name} | {value:.3f} | | | | | | | | |", flush=True)
        for name in asked.only:
            kept = asked.out / f"{table.stem}-{name}-{asked.epochs or 'own'}.json"
            if not kept.exists():
                kept.write_text(json.dumps(run(name, table, asked), indent=1))
            print(line(json.loads(kept.read_text())), flush=True)


if __name__ == "__main__":
    main()
