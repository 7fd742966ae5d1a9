"""DICOM studies are scored from the command line, and nothing that names the patient comes out."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import Dataset

from atypia.reading.dicom import read_dicom
from atypia.reading.nifti import read_nifti
from atypia.reading.picture import read_picture

PLANTED = {
    "PatientName": "Zebrowski^Quentin",
    "PatientID": "QZ-90210",
    "PatientBirthDate": "19510203",
    "PatientAddress": "7 Hidden Lane",
    "AccessionNumber": "ACC55512",
    "InstitutionName": "Saint Nowhere",
    "ReferringPhysicianName": "Doctor^Whovian",
    "StudyDescription": "Quentin's head",
    "StationName": "STATION77",
    "DeviceSerialNumber": "SER4242",
    "StudyInstanceUID": "1.2.826.0.1.777",
    "FrameOfReferenceUID": "1.2.826.0.1.778",
    "StudyDate": "20190807",
}


@pytest.fixture
def head(phantom_table) -> np.ndarray:
    """Twelve slices of the phantom, uint16 (12, H, W)."""
    with phantom_table.open() as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["label"] == "normal"][:12]
    return np.stack([read_picture(phantom_table.parent / path).pixels * 8 for path in paths]).astype(
        np.uint16
    )


def planted(data, _index):
    for name, value in PLANTED.items():
        setattr(data, name, value)
    data.add_new((0x0011, 0x0010), "LO", "QUENTIN PRIVATE")


def test_no_identifier_comes_out_of_scoring(tmp_path, head, write_series, nearest_file, atypia):
    write_series(tmp_path / "study", head, planted, uid="1.2.826.0.1.779")

    def localizer(data, index):
        planted(data, index)
        data.SeriesDescription, data.SeriesNumber = "localizer of Zebrowski", 1

    write_series(tmp_path / "study", head[:3], localizer, uid="1.2.826.0.1.780")
    bad = write_series(tmp_path / "study", head[:1], planted, uid="1.2.826.0.1.781")[0]
    bad.write_bytes(bad.read_bytes()[:-5000])
    out = tmp_path / "out"
    kinds = ("--heatmaps", "--results", "nifti,html,seg,sr,sc")
    done = atypia("score", nearest_file, tmp_path / "study", "-o", out, *kinds, "--judge-all")
    assert done.code == 1
    assert "cut short" in (out / "findings.csv").read_text()
    assert "set aside: series-001: a localizer" in done.err
    files = [file for file in out.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} >= {".csv", ".png", ".gz", ".html", ".dcm"}
    told = [done.out.encode(), done.err.encode(), *(str(file.relative_to(out)).encode() for file in files)]
    dicom = [file.read_bytes() for file in files if file.suffix == ".dcm"]
    told += [file.read_bytes() for file in files if file.suffix != ".dcm"]
    told += [gzip.decompress(file.read_bytes()) for file in files if file.suffix == ".gz"]
    secrets = [part for value in PLANTED.values() for part in value.split("^")] + ["1.2.826.0.1.7", "Quentin"]
    found = [secret for secret in secrets for text in told if secret.lower().encode() in text.lower()]
    assert found == []
    assert all(b"QZ-90210" in content for content in dicom), "they belong to the patient's study"


def test_identifiers_are_kept_in_one_table_where_they_are_asked_for(
    tmp_path, head, write_series, nearest_file, atypia
):
    write_series(tmp_path / "study", head, planted, uid="1.2.826.0.1.779")
    nibabel.save(nibabel.Nifti1Image(head.T.astype(np.float32), np.eye(4)), tmp_path / "b.nii.gz")
    out = tmp_path / "out"
    scans = (tmp_path / "study", tmp_path / "b.nii.gz")
    done = atypia("score", nearest_file, *scans, "-o", out, "--judge-all", "--keep-identifiers")
    assert done.code == 0, done.err
    with (out / "volumes.csv").open(newline="") as file:
        rows = [(row["patient_id"], row["study_uid"], row["series_uid"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("", "", ""), ("QZ-90210", "1.2.826.0.1.777", "1.2.826.0.1.779")]
    others = [file.read_text() for file in out.glob("*.csv") if file.name != "volumes.csv"]
    assert all("QZ-90210" not in text for text in others)


def test_dicom_and_pictures_of_the_same_slices_score_alike(
    tmp_path, head, write_series, nearest_file, atypia, phantom_table
):
    write_series(tmp_path / "study", head, spacing=(1.0, 1.0))
    out = tmp_path / "out"
    assert atypia("score", nearest_file, tmp_path / "study", "-o", out, "--heatmaps").code == 0
    with (out / "findings.csv").open() as file:
        dicom = [float(row["score"]) for row in csv.DictReader(file)]
    with phantom_table.open() as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["label"] == "normal"][: len(dicom)]
    pictures = [phantom_table.parent / path for path in paths]
    assert atypia("score", nearest_file, *pictures, "-o", tmp_path / "pictures").code == 0
    with (tmp_path / "pictures" / "findings.csv").open() as file:
        scores = {Path(row["name"]).name: float(row["score"]) for row in csv.DictReader(file)}
    assert dicom == pytest.approx([scores[Path(path).name] for path in paths], rel=1e-3)
    volume = read_dicom(next((tmp_path / "study").iterdir()))
    written = nibabel.load(out / "heatmaps" / "volume-0001.nii.gz")
    assert written.shape == volume.pixels.shape
    assert np.allclose(written.affine, volume.affine, atol=1e-4)


def write_as_dicom(write_series, folder: Path, values: np.ndarray, affine: np.ndarray) -> list[Path]:
    """Write a volume (I, J, K) as an MR series of 16 bits with a slope; return the files."""
    low, step = float(values.min()), float(np.ptp(values)) / 65535

    def edit(data, _index):
        data.RescaleSlope, data.RescaleIntercept = f"{step:.10g}", f"{low:.10g}"

    lps = np.diag([-1, -1, 1, 1]) @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    return write_series(
        folder,
        np.rint((values - low) / step).astype(np.uint16).transpose(2, 1, 0),
        edit,
        first=tuple(lps[:3, 3]),
        step=tuple(lps[:3, 2]),
        orientation=(*(lps[:3, 0] / sizes[0]), *(lps[:3, 1] / sizes[1])),
        spacing=(float(sizes[1]), float(sizes[0])),
    )


@pytest.mark.real_data
def test_brats_as_dicom_reads_and_scores_as_nifti_does(
    tmp_path, real_data, write_series, nearest_file, atypia
):
    whole = nibabel.load(real_data / "brats2013/brats_2013_pat0004_1/Flair_subtrMeanDivStd.nii.gz")
    nibabel.save(whole.slicer[:, :, 60:72], tmp_path / "a.nii.gz")
    expected = read_nifti(tmp_path / "a.nii.gz")
    files = write_as_dicom(write_series, tmp_path / "series", expected.pixels, expected.affine)
    volume = read_dicom(files[3])
    assert np.abs(volume.affine - expected.affine).max() < 1e-5
    assert np.abs(volume.pixels - expected.pixels).max() <= np.ptp(expected.pixels) / 65535
    scores = []
    for source in (tmp_path / "a.nii.gz", tmp_path / "series"):
        out = tmp_path / source.name.partition(".")[0] / "out"
        assert atypia("score", nearest_file, source, "-o", out, "--judge-all").code == 0
        with (out / "findings.csv").open() as file:
            scores.append([float(row["score"]) for row in csv.DictReader(file)])
    assert len(scores[0]) == 12
    assert scores[1] == pytest.approx(scores[0], rel=1e-4)


def test_each_volume_of_an_enhanced_file_has_a_row_and_a_map(
    tmp_path, head, write_enhanced, nearest_file, atypia
):
    def echoes(data):
        planted(data, 0)
        for index, own in enumerate(data.PerFrameFunctionalGroupsSequence):
            echo = Dataset()
            echo.EffectiveEchoTime = 20 + 60 * (index // len(head))
            own.MREchoSequence = [echo]

    places = [5.0 * index for index in range(len(head))] * 2
    file = write_enhanced(tmp_path / "study" / "e.dcm", np.concatenate([head, head[::-1]]), places, echoes)
    out = tmp_path / "out"
    done = atypia("score", nearest_file, file, "-o", out, "--judge-all", "--results", "nifti,sr")
    assert done.code == 0, done.err
    assert (
        "--results sr: nothing was written of some scans: e.dcm: expected an enhanced file of one" in done.err
    )
    with (out / "volumes.csv").open(newline="") as table:
        assert [row["volume"] for row in csv.DictReader(table)] == ["series-003", "series-003-2"]
    first, second = (
        np.asarray(nibabel.load(out / "heatmaps" / f"volume-000{number}.nii.gz").dataobj) for number in (1, 2)
    )
    assert np.allclose(first, second[:, :, ::-1], rtol=1e-3, atol=1e-6)
