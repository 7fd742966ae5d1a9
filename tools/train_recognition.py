"""Fits what tells the plane and the sequence of a slice: src/atypia/recognition/classifiers.npz.

    python tools/train_recognition.py [--phantoms 600] [--slices 1500] [--measure TABLE --root DIR]

All is learned from rendered slices: planes from heads in contrasts that need not exist, sequences from the
phantom. TABLE lists real slices whose column plane, or kind, says axial, coronal or sagittal; on its rows of
the splits train and threshold the planes are measured, nothing is learned from them.
Sagittal slices are also shown turned by a quarter, for that is how some sets hold them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atypia.datasets.phantom import SEQUENCES as PRINTED
from atypia.datasets.phantom import phantom_image
from atypia.datasets.phantom.random_contrast import random_slice
from atypia.errors import UnreadableScan
from atypia.preparation import Preparation
from atypia.preparation.foreground import find_foreground
from atypia.reading.collection import Collection, read_collection
from atypia.reading.picture import read_picture
from atypia.recognition.contrast_features import contrast_features
from atypia.recognition.plane_features import plane_features
from atypia.recognition.recognition import PLANES, SEQUENCES, SURE, recognise
from atypia.scan import Image, Scan

TARGET = Path(__file__).resolve().parents[1] / "src/atypia/recognition/classifiers.npz"
PREPARATION = Preparation(size=128)
FIRST_SEED = 10_000_000


def plane_numbers(pixels: Image) -> np.ndarray:
    """Return the numbers that tell a plane."""
    return plane_features(find_foreground(pixels), PREPARATION(Scan(pixels, "slice")))


def rendered_planes(count: int) -> tuple[list[np.ndarray], list[str]]:
    """Return the numbers and the planes of heads in random contrasts."""
    numbers, planes = [], []
    for place in range(count):
        plane = PLANES[place % len(PLANES)]
        pixels = random_slice(FIRST_SEED + place, plane).pixels.astype(np.float32)
        if plane == "sagittal":
            pixels = np.rot90(pixels, (0, 1, 3)[place // len(PLANES) % 3])
        try:
            numbers.append(plane_numbers(np.ascontiguousarray(pixels)))
        except UnreadableScan:
            continue
        planes.append(plane)
    return numbers, planes


def phantoms(count: int) -> tuple[list[np.ndarray], list[str]]:
    """Return contrast numbers and sequences of phantoms."""
    numbers, sequences = [], []
    for place in range(count):
        printed = PRINTED[place % len(PRINTED)]
        phantom = phantom_image(FIRST_SEED + place, abnormal=place % 3 == 0, sequence=printed)
        pixels = phantom.pixels.astype(np.float32)
        numbers.append(contrast_features(PREPARATION(Scan(pixels, "phantom"))))
        sequences.append("T1" if printed == "T1c" else printed)
    return numbers, sequences


def fitted(
    name: str, numbers: list[np.ndarray], labels: list[str], classes: tuple[str, ...], strength: float
) -> dict[str, np.ndarray]:
    """Fit one classifier and return its arrays, by the names that the package reads."""
    features = np.array(numbers)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
    ).fit(features, [classes.index(label) for label in labels])
    scaler, logistic = model[0], model[1]
    print(
        f"{name}: {model.score(features, [classes.index(label) for label in labels]):.3f} of what it learned"
    )
    return {
        f"{name}.classes": np.array(classes),
        f"{name}.mean": scaler.mean_,
        f"{name}.spread": scaler.scale_,
        f"{name}.weights": logistic.coef_,
        f"{name}.bias": logistic.intercept_,
        f"{name}.low": features.min(axis=0),
        f"{name}.high": features.max(axis=0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phantoms", type=int, default=600)
    parser.add_argument("--slices", type=int, default=1500)
    parser.add_argument("--measure", type=Path, metavar="TABLE")
    parser.add_argument("--root", type=Path)
    asked = parser.parse_args()
    arrays = fitted("plane", *rendered_planes(asked.slices), PLANES, 0.3)
    arrays |= fitted("sequence", *phantoms(asked.phantoms), SEQUENCES, 1.0)
    np.savez(TARGET, **arrays)
    print(f"wrote {TARGET}; sure from {SURE}")
    if asked.measure:
        measure(read_collection(asked.measure, root=asked.root))


def measure(rows: Collection) -> None:
    """Print, for the planes of real slices, how often one is told for sure, and how often rightly."""
    for split in ("train", "threshold"):
        chosen = [row for row in rows.select(split=split) if (row.plane or row.kind) in PLANES]
        for plane in PLANES:
            own = [recognise(read_picture(r.path)).sure_plane for r in chosen if (r.plane or r.kind) == plane]
            sure = sum(found is not None for found in own)
            print(f"{split}, {plane}: {len(own)} slices, {sure} sure, {own.count(plane)} of them right")


if __name__ == "__main__":
    main()
