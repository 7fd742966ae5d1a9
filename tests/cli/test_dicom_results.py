"""DICOM results from the command line: asked for by name, in a folder of their own, of DICOM series alone."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

SIDE, SLICES = 64, 5


@pytest.fixture(scope="module")
def own_key(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_KEY", str(tmp_path_factory.mktemp("key") / "group.key"))
        yield


@pytest.fixture(scope="module")
def heads(draw_heads) -> np.ndarray:
    drawn, _ = draw_heads(SLICES, SIDE, seed=5, lesion=0.7)
    return np.rint(1000 * drawn).astype(np.uint16)


@pytest.fixture(scope="module")
def model(atypia, draw_heads, tmp_path_factory, own_key) -> Path:  # noqa: ARG001
    folder = tmp_path_factory.mktemp("healthy")
    for subject in range(12):
        drawn, _ = draw_heads(SLICES, SIDE, seed=20 + subject)
        grid = np.stack([head[::-1, ::-1].T for head in drawn], axis=2)
        place = folder / f"sub-{subject:02}/sub-{subject:02}_T2w.nii.gz"
        place.parent.mkdir()
        nibabel.save(nibabel.Nifti1Image(np.float32(1000 * grid), np.diag([1, 1, 5, 1.0])), place)
    file = folder / "brain.atypia"
    quick = ("--detector", "nearest", "--encoder", "efficientnet-lite0", "--size", SIDE, "--threads", 1)
    done = atypia("fit", folder, "-o", file, "--rule", "quantile", *quick)
    assert done.code == 0, done.err
    return file


@pytest.fixture
def study(tmp_path, heads, own_key) -> Path:  # noqa: ARG001
    """A series of a head with a lesion, with as little in its headers as a volume needs."""
    for index, image in enumerate(heads):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID, data.Modality = pydicom.uid.MRImageStorage, "MR"
        data.PatientID, data.PatientName = "QZ-90210", "Zebrowski^Quentin"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.SeriesNumber = "1.2.3", "1.2.3.4", 4
        data.SOPInstanceUID = f"1.2.3.4.{index + 1}"
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1, 1], 5
        data.Rows, data.Columns = image.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.PixelData = image.tobytes()
        path = tmp_path / "study" / f"{index}.dcm"
        path.parent.mkdir(exist_ok=True)
        pydicom.dcmwrite(path, data, enforce_file_format=True)
    return tmp_path / "study"


def row_of(out: Path) -> dict[str, str]:
    with (out / "volumes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def test_results_of_a_study_go_into_a_folder_of_their_own(atypia, model, study, tmp_path):
    out = tmp_path / "out"
    done = atypia("score", model, study, "-o", out, "--judge-all", "--results", "seg,sr,sc")
    assert done.code == 0, done.err
    assert f"results: {out / 'dicom'}" in done.out
    row = row_of(out)
    files = {path.name: pydicom.dcmread(path) for path in (out / "dicom").iterdir()}
    assert set(row["files"].split()) == {f"dicom/{name}" for name in files}
    assert len(row["look_at"].split()) == sum("-sc-" in name for name in files) == 3
    assert {data.StudyInstanceUID for data in files.values()} == {"1.2.3"}
    with (out / "volume_regions.csv").open(newline="") as file:
        regions = list(csv.DictReader(file))
    segments = files["volume-0001-seg.dcm"].SegmentSequence
    assert [int(region["rank"]) for region in regions] == [one.SegmentNumber for one in segments]
    voxels = files["volume-0001-seg.dcm"].pixel_array.sum()
    assert voxels == sum(int(region["voxels"]) for region in regions) > 0
    assert files["volume-0001-sr.dcm"].ManufacturerModelName == "brain"
    again = atypia("score", model, study, "-o", out, "--judge-all", "--results", "sc")
    assert again.code == 0
    assert {path.name[:14] for path in (out / "dicom").iterdir()} == {"volume-0001-sc"}


def test_a_report_brings_the_segmentation_that_it_refers_to(atypia, model, study, tmp_path):
    done = atypia("score", model, study, "-o", tmp_path / "out", "--judge-all", "--results", "sr")
    assert done.code == 0, done.err
    names = sorted(path.name for path in (tmp_path / "out/dicom").iterdir())
    assert names == ["volume-0001-seg.dcm", "volume-0001-sr.dcm"]


def test_of_other_volumes_it_is_said_once_that_there_are_none(atypia, model, heads, tmp_path):
    for name in "ab":
        grid = np.stack([head[::-1, ::-1].T for head in heads], axis=2).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(grid, np.diag([1, 1, 5, 1.0])), tmp_path / f"{name}.nii.gz")
    scans = (tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    done = atypia("score", model, *scans, "-o", tmp_path / "out", "--judge-all", "--results", "sc")
    assert done.code == 0, done.err
    assert done.err.count("they are no DICOM series") == 1
    assert not (tmp_path / "out/dicom").exists()


def test_one_series_that_cannot_be_referred_to_costs_its_results_alone(atypia, model, study, tmp_path):
    for path in study.iterdir():
        data = pydicom.dcmread(path)
        del data.StudyInstanceUID
        data.save_as(path)
    done = atypia("score", model, study, "-o", tmp_path / "out", "--judge-all", "--results", "seg,html")
    assert done.code == 0, done.err
    assert "--results seg" in done.err
    assert "expected images with StudyInstanceUID" in done.err
    assert row_of(tmp_path / "out")["files"] == "pages/volume-0001.html"


def test_what_is_not_installed_is_told_before_any_work(atypia, model, study, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "highdicom" else find(name, *rest)
    )
    done = atypia("score", model, study, "-o", tmp_path / "out", "--results", "html,sr")
    assert done.code == 4
    assert 'pip install "atypia[dicom]"' in done.err
    assert not (tmp_path / "out").exists()
