"""Volumes whose skull is taken off before they are learned from and judged."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest

from atypia.screener import Screener


def save_head(path: Path, seed: int) -> Path:
    """Write a head of 4 mm voxels: a brain, a dark skull and a bright scalp of its own thickness."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.arange(-half, half, 4.0) for half in (96, 112, 92)), indexing="ij")
    out = (np.sqrt((x / 64) ** 2 + (y / 80) ** 2 + (z / 60) ** 2) - 1) * 66
    scalp = 12 + rng.uniform(4, 8)
    values = np.select([out < -12, out < 0, out < 9, out < scalp], [0.85, 0.55, 0.03, 1.1])
    values = values + 0.03 * rng.random(values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image((500 * values).astype(np.float32), np.diag([4.0, 4, 4, 1])), path)
    return path


@pytest.fixture(scope="module")
def fitted(atypia, tmp_path_factory):
    """The outcome of a fit with the skull taken off, and its file."""
    folder = tmp_path_factory.mktemp("strip")
    for number in range(6):
        save_head(folder / "healthy" / f"sub-{number:02}" / f"sub-{number:02}_T1w.nii.gz", number)
    file = folder / "brain.atypia"
    options = ("--detector", "atlas", "--size", 32, "--strip", "built-in", "--no-fitness-check")
    return atypia("fit", folder / "healthy", "-o", file, *options), file


def test_the_choice_is_told_and_kept_in_the_file(atypia, fitted):
    outcome, file = fitted
    assert outcome.code == 0, outcome.err
    assert "takes the skull off volumes first (built-in)" in outcome.out
    assert Screener.load(file).strip_ == "built-in"
    assert "taken off volumes first, by built-in" in atypia("card", file).out


def test_what_is_judged_loses_its_skull_too(atypia, fitted, tmp_path):
    scan = save_head(tmp_path / "new.nii.gz", 9)
    empty = tmp_path / "empty.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 40, 40), np.float32), np.eye(4)), empty)
    outcome = atypia("score", fitted[1], scan, empty, "-o", tmp_path / "out", "--heatmaps", "--judge-all")
    assert outcome.code == 1, "one of them has no brain"
    with (tmp_path / "out" / "volumes.csv").open(newline="") as file:
        whole, nothing = csv.DictReader(file)
    assert "skull taken off (built-in)" in whole["notes"]
    assert "expected a" in nothing["error"]
    heat = np.asarray(nibabel.load(tmp_path / "out" / "heatmaps" / "volume-0001.nii.gz").dataobj)
    values = np.asarray(nibabel.load(scan).dataobj)
    assert heat.shape == values.shape
    assert not heat[values > 520].any(), "the scalp is not judged"


def test_a_tool_that_is_not_installed_is_told_before_anything_is_read(atypia, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = atypia("fit", tmp_path, "-o", tmp_path / "x.atypia", "--strip", "hd-bet")
    assert outcome.code == 4
    assert "hd-bet, which is not on the PATH" in outcome.err
