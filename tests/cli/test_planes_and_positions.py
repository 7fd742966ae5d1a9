"""Volumes from the command line: the planes that they are cut in, and slices compared by their position."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atypia.comparison import running
from atypia.errors import BadTable
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
    outcome = atypia("fit", *few, "-o", file, "--no-fitness-check", "--no-cluster", *options)
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


@pytest.mark.usefixtures("without_drawing")
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
    words = ("--detector", "atlas", "--position", "--no-cluster")
    outcome = atypia("fit", *few, "-o", tmp_path / "x.atypia", *words)
    assert outcome.code != 0
    assert "needs volumes of at least 10 patients kept aside" in outcome.err


def test_a_plane_that_there_is_not_is_refused(atypia, study, tmp_path):
    outcome = atypia("fit", study, "-o", tmp_path / "x.atypia", "--plane", "oblique")
    assert outcome.code == 2
    assert "--plane: expected planes out of axial, coronal, sagittal; received oblique" in outcome.err


@pytest.mark.parametrize(
    ("command", "called", "words"),
    [
        ("compare", "atypia.comparison.compare", ("--plane", "coronal")),
        ("compare", "atypia.comparison.compare", ("--strip", "built-in")),
        ("choose", "atypia.comparison.choose", ("--plane", "coronal")),
        ("choose", "atypia.comparison.choose", ("--strip", "built-in")),
        ("audit", "atypia.audit.audit_collection", ("--plane", "coronal")),
    ],
)
def test_other_commands_cut_volumes_as_fit_does(atypia, study, tmp_path, monkeypatch, command, called, words):
    asked = []

    def nothing(collection, *_args, **_options):
        asked.extend(collection)
        raise BadTable("seen")

    monkeypatch.setattr(called, nothing)
    outcome = atypia(command, study / "table.csv", "-o", tmp_path / "out", *words)
    assert (outcome.code, "seen" in outcome.err) == (2, True), outcome.err
    if words[0] == "--plane":
        assert {row.plane for row in asked} == {"coronal"}
    else:
        assert {row.strip for row in asked} == {"built-in"}


@pytest.mark.usefixtures("without_drawing")
def test_contestants_know_the_planes_they_were_compared_in(atypia, study, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_in_own_process", lambda task: running._run(task) or 0)
    few = [row for row in read(study / "table.csv") if row["path"] not in ("18.nii.gz", "20.nii.gz")]
    with (study / "few.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, few[0])
        writer.writeheader()
        writer.writerows(few[:8] + few[-2:])
    words = ("--try", "intensity", "--size", 32, "--plane", "coronal")
    outcome = atypia("compare", study / "few.csv", "-o", tmp_path / "out", *words)
    assert outcome.code == 0, outcome.err
    assert Screener.load(tmp_path / "out" / "intensity" / "screener.atypia").planes_ == ("coronal",)


def test_one_of_several_volumes_in_a_file_is_learned_from_and_judged(atypia, tmp_path):
    for number in range(6):
        heads = np.stack([head(number), head(number) + 900], axis=3)
        save(tmp_path / "runs" / f"sub-{number:02}" / "a.nii.gz", heads, (1.0, 1.0, 1.0))
    file, out = tmp_path / "b.atypia", tmp_path / "out"
    quick = ("--detector", "intensity", "--size", 32, "--no-fitness-check")
    refused = atypia("fit", tmp_path / "runs", "-o", file, *quick)
    assert refused.code == 2
    assert "--volume mean" in refused.err
    assert atypia("fit", tmp_path / "runs", "-o", file, *quick, "--volume", "first").code == 2
    outcome = atypia("fit", tmp_path / "runs", "-o", file, *quick, "--volume", "mean")
    assert outcome.code == 0, outcome.err
    assert Screener.load(file).volume_ == "mean"
    plain = save(tmp_path / "plain.nii.gz", head(9), (1.0, 1.0, 1.0))
    run = tmp_path / "runs" / "sub-00" / "a.nii.gz"
    for words, name in (((), "a.nii.gz:mean"), (("--volume", "1"), "a.nii.gz:vol1")):
        done = atypia("score", file, run, plain, "-o", out, "--results", "nifti,html", *words)
        assert done.code == 0, done.err
        assert [row["volume"] for row in read(out / "volumes.csv")] == [name, "plain.nii.gz"]
        assert nibabel.load(out / "heatmaps" / "volume-0001.nii.gz").shape == SHAPE
