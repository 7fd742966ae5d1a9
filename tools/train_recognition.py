"""Fits what tells the plane and the sequence of a slice: src/atypia/recognition/classifiers.npz.

    python tools/train_recognition.py TABLE --root DIR [--phantoms 600]

TABLE lists real slices whose column plane, or kind, says axial, coronal or sagittal; its rows of the split
train are learned from, those of threshold only measured. The shipped planes were learned from BRISC 2025
(Fateh et al., Scientific Data 13, 361 (2026), CC BY 4.0), the shipped sequences from the phantom alone.
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
from atypia.preparation import Preparation
from atypia.preparation.foreground import find_foreground
from atypia.reading.collection import Collection, read_collection
from atypia.reading.picture import read_picture
from atypia.recognition.contrast_features import contrast_features
from atypia.recognition.plane_features import plane_features
from atypia.recognition.recognition import PLANES, SEQUENCES, SURE
from atypia.scan import Image, Scan

TARGET = Path(__file__).resolve().parents[1] / "src/atypia/recognition/classifiers.npz"
PREPARATION = Preparation(size=128)
FIRST_SEED = 10_000_000


def plane_numbers(pixels: Image) -> np.ndarray:
    """Return the numbers that tell a plane."""
    return plane_features(find_foreground(pixels), PREPARATION(Scan(pixels, "slice")))


def real_planes(rows: Collection) -> tuple[list[np.ndarray], list[str]]:
    """Return the numbers and the planes of real slices."""
    numbers, planes = [], []
    for row in rows:
        plane = row.plane or row.kind
        if plane not in PLANES:
            continue
        pixels = read_picture(row.path).pixels
        quarters = (0, 1, 3) if plane == "sagittal" else (0,)
        for quarter in quarters:
            numbers.append(plane_numbers(np.ascontiguousarray(np.rot90(pixels, quarter))))
            planes.append(plane)
    return numbers, planes


def phantoms(count: int) -> tuple[list[np.ndarray], list[str], list[np.ndarray]]:
    """Return contrast numbers and sequences of phantoms, and the plane numbers of every fourth."""
    numbers, sequences, axial = [], [], []
    for place in range(count):
        printed = PRINTED[place % len(PRINTED)]
        phantom = phantom_image(FIRST_SEED + place, abnormal=place % 3 == 0, sequence=printed)
        pixels = phantom.pixels.astype(np.float32)
        numbers.append(contrast_features(PREPARATION(Scan(pixels, "phantom"))))
        sequences.append("T1" if printed == "T1c" else printed)
        if place // len(PRINTED) % 4 == 0:
            axial.append(plane_numbers(pixels))
    return numbers, sequences, axial


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
    parser.add_argument("table", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--phantoms", type=int, default=600)
    asked = parser.parse_args()
    rows = read_collection(asked.table, root=asked.root)
    contrast, sequences, axial = phantoms(asked.phantoms)
    numbers, planes = real_planes(rows.select(split="train"))
    numbers, planes = numbers + axial, planes + ["axial"] * len(axial)
    arrays = fitted("plane", numbers, planes, PLANES, 0.3)
    arrays |= fitted("sequence", contrast, sequences, SEQUENCES, 1.0)
    np.savez(TARGET, **arrays)
    print(f"wrote {TARGET}; sure from {SURE}")


if __name__ == "__main__":
    main()
