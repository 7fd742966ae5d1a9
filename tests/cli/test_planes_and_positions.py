"""Volumes from the command line: the planes that they are cut in, and slices compared by their position."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atypia.screener import Screener

SHAPE = (28, 32, 20)


def head(seed: int, shape: tuple[int, int, int] = SHAPE, lesion: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    radius = (places**2).sum(axis=0)
    texture = gaussian_filter(rng.normal(size=shape), 1.5)
    pixels = (
        600.0 * (radius < rng.uniform(0.75, 0.85)) - 250 * (radius < 0.5) + 400 * texture * (radius < 0.5)
    )
    spot = ((places - np.array([0.3, 0.2, 0.1])[:, None, None, None]) ** 2).sum(axis=0) < 0.05
    return (pixels + 700 * lesion * spot + rng.uniform(0, 20, shape)).astype(np.float32)


def save(path: Path, pixels: np.ndarray, sizes: tuple[float, float, float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(pixels, np.diag([*sizes, 1.0])), path)
    return path


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A table of volumes of 1 x 1 x 1 mm: 6 patients to learn from, 11 kept aside, and 4 with 2 tumours."""
    folder = tmp_path_factory.mktemp("study")
    rows = ["path,label,split,group,mask"]
    for number in range(21):
        sick = number >= 19
        save(folder / f"{number}.nii.gz", head(number, lesion=sick), (1.0, 1.0, 1.0))
        split = "train" if number < 6 else "threshold" if number < 17 else "test"
        rows.append(f"{number}.nii.gz,{'abnormal' if sick else 'normal'},{split},p{number},")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def fitted(atypia, study):
    """The outcome of a fit, and its file."""
    file = study / "brain.atypia"
    options = ("--detector", "atlas", "--size", 32, "--rule", "conformal", "--fpr", 0.1, "--plane", "axial")
    options += ("--no-fitness-check",)
    return atypia("fit", study / "table.csv", "-o", file, *options), file


def test_the_fit_tells_of_planes_and_positions(fitted):
    outcome, file = fitted
    assert outcome.code == 0, outcome.err
    assert "cuts volumes in the plane axial\nslices are compared with healthy slices of their" in outcome.out
    screener = Screener.load(file)
    assert screener.planes_ == ("axial",)
    assert list(screener.position_scale_.profiles) == ["axial"]


def test_a_volume_of_another_acquisition_is_cut_in_the_plane_learned(atypia, fitted, tmp_path):
    sagittal = save(tmp_path / "s.nii.gz", head(40, (21, 32, 20)), (1.3, 1.0, 1.0))
    coarse = save(tmp_path / "c.nii.gz", head(41, (28, 20, 20)), (1.0, 5.0, 1.0))
    out = tmp_path / "out"
    outcome = atypia("score", fitted[1], sagittal, coarse, "-o", out, "--judge-all")
    assert outcome.code == 1, "one of them could not be judged"
    first, second = read(out / "volumes.csv")
    assert first["look_at"].startswith("ax")
    assert 0 < float(first["p_value"]) <= 1
    assert int(second["slices"]) == 0
    assert "fine enough to be cut in the axial plane, received axial pixels of 5 x 1 mm" in second["error"]
    names = [row["name"] for row in read(out / "findings.csv")]
    assert names[-1] == "c.nii.gz"
    assert all(name.startswith("s.nii.gz:ax") for name in names[:-1])


def test_several_planes_are_learned_and_cut(atypia, study, tmp_path):
    file, out = tmp_path / "both.atypia", tmp_path / "out"
    options = ("--detector", "atlas", "--size", 32, "--plane", "axial,coronal", "--no-position")
    few = [study / f"{number}.nii.gz" for number in range(5)]
    outcome = atypia("fit", *few, "-o", file, "--no-fitness-check", *options)
    assert outcome.code == 0, outcome.err
    assert "in the plane axial and coronal\nslices are not compared by position: not asked for" in outcome.out
    thick = save(tmp_path / "t.nii.gz", head(42, (28, 32, 18)), (1.0, 1.0, 5.0))
    assert atypia("score", file, study / "18.nii.gz", thick, "-o", out, "--judge-all").code == 0
    rows = read(out / "volumes.csv")
    assert [row["look_at"][:2] for row in rows] == ["ax", "co", "ax"]
    assert [bool(row["notes"]) for row in rows] == [False, False, True]
    assert rows[2]["notes"] == (
        "not cut in the coronal plane: coronal pixels of 5 x 1 mm, where one side may be 3 times the other"
    )


def test_patients_are_measured_beside_slices(atypia, fitted, study, tmp_path):
    out = tmp_path / "out"
    outcome = atypia("evaluate", fitted[1], study / "table.csv", "-o", out)
    assert outcome.code in (0, 1), outcome.err
    assert "patients, by their three highest scans: AUROC" in outcome.out
    assert "at p <= 0.1: sensitivity" in outcome.out
    patient = json.loads((out / "metrics.json").read_text())["patient"]
    assert patient["alpha"] == 0.1
    assert patient["confusion"]["true_positive"] + patient["confusion"]["false_negative"] == 2
    assert "Patients as a whole: 2 normal, 2 abnormal" in (out / "report.html").read_text()
    atypia("score", fitted[1], *(study / f"{n}.nii.gz" for n in range(17, 21)), "-o", tmp_path / "scored")
    flagged = [float(row["p_value"]) <= 0.1 for row in read(tmp_path / "scored" / "volumes.csv")]
    counts = patient["confusion"]
    assert sum(flagged[2:]) == counts["true_positive"], "volumes.csv uses the same calibration"
    assert sum(flagged[:2]) == counts["false_positive"]


def test_positions_that_cannot_be_had_are_refused(atypia, study, tmp_path):
    few = [study / f"{number}.nii.gz" for number in range(6)]
    outcome = atypia("fit", *few, "-o", tmp_path / "x.atypia", "--detector", "atlas", "--position")
    assert outcome.code != 0
    assert "needs volumes of at least 10 patients kept aside" in outcome.err


def test_a_plane_that_there_is_not_is_refused(atypia, study, tmp_path):
    outcome = atypia("fit", study, "-o", tmp_path / "x.atypia", "--plane", "oblique")
    assert outcome.code == 2
    assert "--plane: expected planes out of axial, coronal, sagittal; received oblique" in outcome.err
