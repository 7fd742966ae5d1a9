"""A made-up evaluation: heads of noise and ellipses, some with a bright spot, and a detector that errs."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import gaussian_filter

from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.reading.collection import Collection, Row
from atypia.report.card import ReportCard
from atypia.report.report import write_report
from atypia.report.theme import DARK, LIGHT
from atypia.scan import Finding

SIDE = 96
HOSTILE = "<script>alert('x')</script>&\"$x^2$.png"
THRESHOLD = 1.0
GOLDEN = Path(__file__).with_name("golden")
TOLERANCE = 5.0


def blob(centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 < 1


def head(rng: np.random.Generator) -> np.ndarray:
    """Return a head in [0, 1]: skull, brain, ventricles."""
    skull, brain = blob((0.5, 0.5), (0.45, 0.36)), blob((0.5, 0.5), (0.4, 0.31))
    fluid = blob((0.48, 0.44), (0.13, 0.04)) | blob((0.48, 0.56), (0.13, 0.04))
    pixels = 0.75 * skull - 0.3 * brain - 0.3 * fluid
    texture = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.5)
    return np.clip(gaussian_filter(pixels + 0.25 * texture * brain, 0.6), 0, 1)


def lesion(rng: np.random.Generator) -> np.ndarray:
    centre = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.36, 0.64)))
    return blob(centre, (float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.05, 0.11))))


def judged(folder: Path, place: int, abnormal: bool, rng: np.random.Generator) -> tuple[Row, Finding]:
    """Write one scan, and its mask where it is abnormal, and return what a fair detector says of it."""
    healthy, spot = head(rng), lesion(rng) if abnormal else np.zeros((SIDE, SIDE), bool)
    pixels = np.clip(healthy + 0.35 * gaussian_filter(spot.astype(float), 1), 0, 1)
    name = HOSTILE if place == 0 else f"scans/{'abnormal' if abnormal else 'normal'}_{place:03}.png"
    path, mask = folder / f"{place}.png", None
    Image.fromarray(np.uint8(255 * pixels)).save(path)
    if abnormal:
        mask = folder / f"{place}_mask.png"
        Image.fromarray(np.uint8(255 * spot)).save(mask)
    score = 7.0 if place == 0 else float(np.exp(rng.normal(0.85 if abnormal else -0.45, 0.45)))
    noise = gaussian_filter(np.abs(rng.normal(size=(SIDE, SIDE))), 3) * blob((0.5, 0.5), (0.45, 0.36))
    heat = (0.3 * noise + score * 0.4 * gaussian_filter(spot.astype(float), 2)).astype(np.float32)
    kind = ("glioma", "meningioma", "metastasis")[place % 3] if abnormal else None
    finding = Finding(
        name,
        score,
        float(np.clip(np.exp(-1.6 * score), 1 / 201, 1)),
        score > THRESHOLD,
        THRESHOLD,
        heatmap=heat,
        prepared=pixels.astype(np.float32),
        reconstruction=gaussian_filter(healthy, 2).astype(np.float32),
    )
    label, plane = ("abnormal" if abnormal else "normal"), ("axial", "coronal")[place % 2]
    return Row(path, name, label, kind=kind, mask=mask, group=f"patient {place // 2}", plane=plane), finding


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """100 normal and 90 abnormal scans of 95 patients; one is unreadable, one unfit to be judged."""
    rng, folder = np.random.default_rng(7), tmp_path_factory.mktemp("scans")
    pairs = [judged(folder, place, place >= 100, rng) for place in range(190)]
    rows, findings = zip(*pairs, strict=True)
    failed = Finding(findings[50].name, np.nan, np.nan, None, THRESHOLD, error=f"damaged: {HOSTILE}")
    unfit = replace(findings[60], unfit="a CT", flagged=None)
    findings = (*findings[:50], failed, *findings[51:60], unfit, *findings[61:])
    provenance = {"model": "brain.atypia", "seed": 0}
    return evaluate(
        findings,
        Collection(rows, "phantom/table.csv"),
        pixel_threshold=0.35,
        alpha=0.05,
        calibration_groups=200,
        resamples=200,
        provenance=provenance,
    )


def make_card() -> ReportCard:
    rng = np.random.default_rng(3)
    epochs = np.arange(1, 31)
    loss = 0.06 * np.exp(-epochs / 8) + 0.012 + 0.0006 * rng.random(30)
    history = tuple(
        {"epoch": int(epoch), "loss": float(value), "validation_loss": float(1.15 * value), "seconds": 4.2}
        for epoch, value in zip(epochs, loss, strict=True)
    )
    return ReportCard(
        detector="autoencoder",
        encoder="efficientnet-lite0",
        parameters={
            "Preparation": {"size": 224, "crop": True, "margin": 0.05, "intensity": "robust"},
            "Detector": {
                "bottleneck": 128,
                "loss": "features",
                "cut": ("block1", "block2"),
                "deep": {"a": 1},
            },
            "Threshold": {"rule": "mean+std", "parameter": 1.0},
        },
        history=history,
        data={"train": 400, "threshold": 200, "test, normal": 100, "test, abnormal": 90},
        versions={"atypia": "0.1.0", "python": "3.11.9", "onnxruntime": "1.23.0"},
        command="atypia evaluate brain.atypia phantom/table.csv -o out",
        notes=("This split LEAKS: near-copies of training scans are in the test.",),
        synthetic=True,
        calibration=np.exp(rng.normal(-0.5, 0.45, size=200)),
        heat_scale=(0.3, 1.1),
        pixel_threshold=0.35,
    )


@pytest.fixture
def card() -> ReportCard:
    return make_card()


@pytest.fixture(scope="session")
def page(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it; its title is as hostile as one of its scans."""
    out = tmp_path_factory.mktemp("report") / "out"
    return write_report(evaluation, out, title=f"Made-up heads {HOSTILE}", card=make_card())


class Golden:
    """Stored pictures of figures; `ATYPIA_GOLDEN=write pytest tests/report` stores them anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, name: str, figure: Figure) -> None:
        """Fail where a figure no longer looks as it did, beyond what other letters would change."""
        drawn = self.draw(name, figure)
        if os.environ.get("ATYPIA_GOLDEN") == "write":
            GOLDEN.mkdir(exist_ok=True)
            shutil.copy(drawn, GOLDEN / drawn.name)
        distance = self.distance(drawn)
        assert distance < TOLERANCE, f"{drawn} is {distance:.1f} grey values from {GOLDEN / drawn.name}"

    def differs(self, name: str, figure: Figure) -> bool:
        """Whether `check` would fail."""
        return self.distance(self.draw(name, figure)) >= TOLERANCE

    def distance(self, drawn: Path) -> float:
        paths = drawn, GOLDEN / drawn.name
        ours, theirs = (np.asarray(Image.open(path), dtype=float) for path in paths)
        assert ours.shape == theirs.shape
        return float(np.sqrt(np.mean((ours - theirs) ** 2)))

    def draw(self, name: str, figure: Figure) -> Path:
        """Draw a figure on the ground of the page that it is made for."""
        file, path = BytesIO(), self.folder / f"{name}.png"
        with style.context("default"):
            figure.savefig(file, dpi=50)
        picture = Image.open(file).convert("RGBA")
        ground = Image.new("RGBA", picture.size, (DARK if "dark" in name else LIGHT).page)
        Image.alpha_composite(ground, picture).convert("RGB").save(path, optimize=True)
        return path


@pytest.fixture
def golden(tmp_path: Path) -> Golden:
    return Golden(tmp_path)
