"""Volumes from the command line: learned from, judged, evaluated."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from atypia.screening.results import RESULTS

SIDE, SLICES = 64, 4


@pytest.fixture(scope="module")
def study(draw_heads, tmp_path_factory) -> Path:
    """A BIDS folder of twelve healthy subjects, and beside it one with a lesion and its mask."""
    root = tmp_path_factory.mktemp("study")
    for subject in range(13):
        heads, _ = draw_heads(SLICES, SIDE, seed=subject, lesion=0.7 if subject == 12 else 0.0)
        grid = np.stack([head[::-1, ::-1].T for head in heads], axis=2)
        name = f"sub-{subject:02}"
        path = root / ("ill" if subject == 12 else "set/healthy") / name / "anat" / f"{name}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(np.float32(500 * grid), np.diag([1, 1, 5, 1.0])), path)
        if subject == 12:
            twins, _ = draw_heads(SLICES, SIDE, seed=subject)
            changed = grid - np.stack([head[::-1, ::-1].T for head in twins], axis=2) > 0.3
            changed[..., 0] = False
            mask = nibabel.Nifti1Image(np.uint8(changed), np.diag([1, 1, 5, 1.0]))
            nibabel.save(mask, path.with_name(f"{name}_T1w_mask.nii.gz"))
    (root / "ill/broken.nii.gz").write_bytes(path.read_bytes()[:500])
    return root


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def model(atypia, study, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("model") / "brain.atypia"
    quick = ("--detector", "nearest", "--encoder", "efficientnet-lite0", "--size", 64, "--threads", 1)
    outcome = atypia("fit", study / "set", "-o", file, "--rule", "quantile", *quick)
    assert outcome.code == 0, outcome.err
    assert "near-copies" not in outcome.out, "patients are known by their folders"
    return file


def test_a_folder_of_volumes_is_learned_from_and_volumes_are_judged(atypia, study, model, tmp_path):
    outcome = atypia("score", model, study / "ill", "-o", tmp_path, "--heatmaps", "--judge-all")
    assert outcome.code == 1, "one volume is broken"
    assert f"volumes: 2 in {tmp_path / 'volumes.csv'}" in outcome.out
    broken, ill = rows_of(tmp_path / "volumes.csv")
    assert (ill["volume"], ill["slices"], ill["judged"]) == ("sub-12/anat/sub-12_T1w.nii.gz", "4", "4")
    assert 0 < float(ill["p_value"]) <= 1
    assert "expected a whole NIfTI volume" in broken["error"]
    assert [row["verdict"] for row in rows_of(tmp_path / "findings.csv")].count("unreadable") == 1
    assert nibabel.load(tmp_path / ill["map"]).shape == (SIDE, SIDE, SLICES)
    again = atypia("score", model, study / "ill/sub-12", "-o", tmp_path, "--judge-all")
    assert again.code == 0
    assert len(rows_of(tmp_path / "volumes.csv")) == 1
    assert not list(tmp_path.glob("heatmaps/*")), "maps of an earlier run are gone"


def test_results_of_volumes_are_written_as_asked_for_and_replaced(atypia, study, model, tmp_path):
    asked = ("score", model, study / "ill/sub-12", "-o", tmp_path, "--judge-all")
    outcome = atypia(*asked, "--results", "nifti, html")
    assert outcome.code == 0, outcome.err
    assert f"results: {tmp_path / 'heatmaps'}, {tmp_path / 'pages'}" in outcome.out
    (volume,) = rows_of(tmp_path / "volumes.csv")
    files = volume["files"].split()
    assert files == [
        "heatmaps/volume-0001.nii.gz",
        "heatmaps/volume-0001-mask.nii.gz",
        "pages/volume-0001.html",
    ]
    page = (tmp_path / files[2]).read_text(encoding="utf-8")
    assert "sub-12" not in page
    assert hashlib.sha256(model.read_bytes()).hexdigest() in page
    regions = rows_of(tmp_path / "volume_regions.csv")
    assert len(regions) == int(volume["regions"]) == nibabel.load(tmp_path / files[1]).get_fdata().max()
    assert atypia(*asked, "--results", "html").code == 0
    assert not list(tmp_path.glob("heatmaps/*")), "what was not asked for again is gone"


def test_every_kind_of_result_is_explained(atypia):
    told = atypia("score", "--help").out.partition("Kinds of results")[2]
    assert [kind for kind in RESULTS if f"\n  {kind} " not in told] == []


def test_a_kind_of_result_that_is_unknown_is_refused_before_the_work(atypia, study, model, tmp_path):
    outcome = atypia("score", model, study / "ill", "-o", tmp_path / "out", "--results", "nifti,pdf")
    assert outcome.code == 2
    assert "Expected kinds of results out of nifti, html" in outcome.err
    assert "received 'pdf'" in outcome.err
    assert not (tmp_path / "out").exists()


def test_results_of_pictures_are_told_to_be_left_out_and_are_no_error(atypia, model, draw_heads, tmp_path):
    heads, _ = draw_heads(1, SIDE)
    Image.fromarray(np.uint8(255 * heads[0])).save(tmp_path / "a.png")
    outcome = atypia(
        "score", model, tmp_path / "a.png", "-o", tmp_path / "o", "--judge-all", "--results", "html"
    )
    assert outcome.code == 0
    assert "--results html: nothing was written" in outcome.err


@pytest.mark.usefixtures("without_drawing")
def test_slices_are_evaluated_against_the_mask_of_their_volume(atypia, study, model, tmp_path):
    table = tmp_path / "t.csv"
    place = "ill/sub-12/anat/sub-12_T1w"
    table.write_text(f"path,label,group,mask\n{place}.nii.gz,abnormal,p,{place}_mask.nii.gz\n")
    outcome = atypia("evaluate", model, table, "--root", study, "-o", tmp_path / "out")
    assert "pixels: AUROC" in outcome.out, "heat maps meet the slices of the mask"
    verdicts = {row["name"].rpartition(":")[2] for row in rows_of(tmp_path / "out/findings.csv")}
    assert verdicts == {f"ax{n:03}" for n in range(SLICES)}
    assert (tmp_path / "out/report.html").is_file()


def test_a_set_of_volumes_is_split_by_patients_and_its_table_read_back(atypia, study, tmp_path):
    table = tmp_path / "t.csv"
    outcome = atypia("split", study / "set", "-o", table, "--train", 0.5, "--threshold", 0.25, "--test", 0.25)
    assert outcome.code == 0, outcome.err
    rows = rows_of(table)
    assert len(rows) == 12 * SLICES
    assert {(row["plane"], row["slice"]) for row in rows} == {("axial", str(n)) for n in range(SLICES)}
    sides = {(row["group"], row["split"]) for row in rows}
    assert len(sides) == 12
    again = atypia("describe", table, "-o", tmp_path / "d.csv")
    assert again.code == 0, again.err
