"""The demonstration: from nothing to two fitted Screeners and their reports, on embedded synthetic data."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
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
from atypia.study import run_study, study_of

SEQUENCES = ("FLAIR",)
ENCODER = "efficientnet-lite0"


def run_demo(
    out: Path,
    *,
    healthy: int = 300,
    abnormal: int = 60,
    epochs: int = 30,
    seed: int = 0,
    command: str = "atypia demo",
) -> str:
    """Render the phantom, fit, evaluate and report into `out`; return what to tell the user.

    Raises MissingExtra without nilearn. Without Keras the autoencoder is left out, and that is said.
    """
    started = time.perf_counter()
    _say(f"1. rendering {healthy} healthy and {abnormal} abnormal synthetic slices")
    table = _render(out / "phantom", healthy, abnormal, seed)
    judged: dict[str, Evaluation] = {}
    for number, (name, detector) in enumerate(_detectors(epochs), start=2):
        _say(f"{number}. {name}: learning from healthy slices, calibrating, judging unseen ones")
        judged[name] = _study(name, detector, table, out, seed, command)
    return "\n".join(_closing(judged, out, time.perf_counter() - started))


def _render(folder: Path, healthy: int, abnormal: int, seed: int) -> Collection:
    """Write the phantom; the pictures of an earlier demonstration, of other numbers, make room."""
    for kind in ("healthy", "abnormal", "masks"):
        for picture in (folder / kind).glob("[0-9][0-9][0-9][0-9].png"):
            picture.unlink()
    write_phantom(folder, healthy=healthy, abnormal=abnormal, seed=seed, sequences=SEQUENCES)
    return read_collection(folder / "table.csv")


def _detectors(epochs: int) -> Iterator[tuple[str, Detector]]:
    yield "nearest", Nearest(ENCODER)
    if available():
        yield "autoencoder", Autoencoder(replace(RECIPES["autoencoder"], encoder=ENCODER, epochs=epochs))


def _study(
    name: str, detector: Detector, table: Collection, out: Path, seed: int, command: str
) -> Evaluation:
    screener = Screener(detector)
    screener.fit(table, seed=seed)
    screener.save(out / f"{name}.atypia")
    test = study_of(table.select(split="test"))
    return run_study(screener, test, out / name, title=f"Demonstration: {name}", command=command)


def _line(name: str, evaluation: Evaluation) -> str:
    image, pixel = evaluation.image, evaluation.pixel
    counts = image.confusion
    places = f", pixel AUROC {pixel.auroc:.3f}" if pixel else ""
    return (
        f"{name:12} image AUROC {image.auroc:.3f}{places}; {counts.true_positive} of {counts.abnormal} "
        f"tumours found, {counts.false_positive} of {counts.normal} healthy slices flagged"
    )


def _closing(judged: dict[str, Evaluation], out: Path, seconds: float) -> Iterator[str]:
    yield from (_line(name, evaluation) for name, evaluation in judged.items())
    yield SYNTHETIC
    yield RESEARCH_USE_ONLY
    if not available():
        yield 'The autoencoder was left out: it needs pip install "atypia[train]".'
    yield f"\nDone in {seconds / 60:.1f} minutes. Open in a browser:"
    yield from (f"  {(out / name / 'report.html').resolve()}" for name in judged)
    yield "Judge the synthetic slices again:"
    model = out / f"{list(judged)[-1]}.atypia"
    yield f"  atypia score {model} {out / 'phantom' / 'abnormal'} -o findings --heatmaps"
    yield "With your own scans:"
    yield "  atypia fit HEALTHY_FOLDER -o brain.atypia"
    yield "  atypia score brain.atypia NEW_SCANS -o findings --heatmaps"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
