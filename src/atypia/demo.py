"""The demonstration: from nothing to two fitted Screeners and their reports, on embedded synthetic data."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from atypia.datasets.phantom import write_phantom
from atypia.detectors import Autoencoder, Detector, Nearest
from atypia.evaluation.evaluation import Evaluation
from atypia.keras_backend import available
from atypia.networks.recipe import RECIPES
from atypia.notice import RESEARCH_USE_ONLY, SYNTHETIC
from atypia.reading.collection import Collection, read_collection
from atypia.screener import Screener
from atypia.study import Telling, run_study

SEQUENCES = ("FLAIR",)
ENCODER = "efficientnet-lite0"


def run_demo(out: Path, *, healthy: int = 300, abnormal: int = 60, epochs: int = 15, seed: int = 0) -> str:
    """Render the phantom, fit, evaluate and report into `out`; return what to tell the user.

    Raises MissingExtra without nilearn. Without Keras the autoencoder is left out, and that is said.
    """
    started = time.perf_counter()
    _say(f"1. rendering {healthy} healthy and {abnormal} abnormal synthetic slices")
    write_phantom(out / "phantom", healthy=healthy, abnormal=abnormal, seed=seed, sequences=SEQUENCES)
    table = read_collection(out / "phantom" / "table.csv")
    recipe = replace(RECIPES["autoencoder"], encoder=ENCODER, epochs=epochs)
    detectors: dict[str, Detector] = {"nearest": Nearest(ENCODER)}
    if available():
        detectors["autoencoder"] = Autoencoder(recipe)
    lines = []
    for number, (name, detector) in enumerate(detectors.items(), start=2):
        _say(f"{number}. {name}: learning from healthy slices, calibrating, judging unseen ones")
        lines.append(_line(name, _study(name, detector, table, out, seed)))
    minutes = (time.perf_counter() - started) / 60
    return _closing(lines, list(detectors)[-1], out, minutes)


def _study(name: str, detector: Detector, table: Collection, out: Path, seed: int) -> Evaluation:
    screener = Screener(detector)
    screener.fit(table, seed=seed)
    screener.save(out / f"{name}.atypia")
    telling = Telling(f"Demonstration: {name}", (), "atypia demo", synthetic=True)
    return run_study(screener, table.select(split="test"), out / name, telling=telling)


def _line(name: str, evaluation: Evaluation) -> str:
    image, pixel = evaluation.image, evaluation.pixel
    counts = image.confusion
    found = f"{counts.true_positive} of {counts.abnormal} tumours found, {counts.false_positive} of {counts.normal} healthy flagged"
    places = f", pixel AUROC {pixel.auroc:.3f}" if pixel else ""
    return f"{name:12} image AUROC {image.auroc:.3f}{places}; {found}"


def _closing(lines: list[str], best: str, out: Path, minutes: float) -> str:
    without = "" if available() else '\nThe autoencoder was left out: it needs pip install "atypia[train]".'
    return "\n".join(
        [
            "",
            *lines,
            SYNTHETIC,
            RESEARCH_USE_ONLY + without,
            "",
            f"Done in {minutes:.1f} minutes. Open the report in a browser:",
            *(f"  {(out / line.split()[0] / 'report.html').resolve()}" for line in lines),
            "Next, with your own healthy scans:",
            "  atypia fit HEALTHY_FOLDER -o brain.atypia",
            "  atypia score brain.atypia NEW_SCANS -o findings --heatmaps",
            f"or judge the synthetic ones again:  atypia score {out / best}.atypia {out / 'phantom' / 'abnormal'} -o findings",
        ]
    )


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr, flush=True)
