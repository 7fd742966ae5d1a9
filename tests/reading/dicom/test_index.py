"""A DICOMDIR says which files belong together, and which of them are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom.config import IGNORE
from pydicom.fileset import FileSet

from atypia.errors import UnreadableScan
from atypia.reading.collection import read_collection
from atypia.reading.dicom import read_dicom, read_index
from atypia.reading.rows import read_row

THEIRS = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"


@pytest.fixture
def disc(tmp_path, slices, write_series) -> Path:
    """A disc with a series of eight slices, a localizer of four, and what is no scan beside them."""

    def edit(number, words):
        def set_number(data, _index):
            data.SeriesNumber, data.SeriesDescription = number, words
            data.StudyDate, data.StudyTime, data.StudyID = "20190807", "101112", "S1"
            data.AccessionNumber = ""

        return set_number

    made = FileSet()
    for file in (
        *write_series(tmp_path / "a", slices, edit(3, "t2_tse_tra")),
        *write_series(tmp_path / "b", slices[:4], edit(1, "localizer"), uid="1.2.9"),
    ):
        made.add(file)
    made.write(tmp_path / "disc")
    made._stage["t"].cleanup()
    (tmp_path / "disc" / "VIEWER").mkdir()
    (tmp_path / "disc" / "VIEWER" / "logo.png").write_bytes(b"no picture")
    stray = write_series(tmp_path / "c", slices[:1], uid="1.2.77")[0]
    shutil.copy(stray, tmp_path / "disc" / "VIEWER" / "EXTRA")
    return tmp_path / "disc"


def files_of(disc: Path) -> list[Path]:
    """The files of the scan by its slices."""
    (folder,) = (path for path in disc.rglob("SE*") if len(list(path.iterdir())) == 8)
    return sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])


@pytest.mark.parametrize("named", ["DICOMDIR", ""])
def test_what_it_names_is_scored_and_nothing_else(disc, slices, named):
    collection = read_collection(disc / named)
    assert [row.name for row in collection] == [f"series-003:ax{index:03}" for index in range(8)]
    assert np.array_equal(read_row(collection.rows[2]).pixels, slices[2])
    assert sorted(collection.aside) == [
        ("VIEWER/EXTRA", "not named by the DICOMDIR"),
        ("VIEWER/logo.png", "not named by the DICOMDIR"),
        ("series-001", "a localizer"),
    ]


@pytest.mark.parametrize("lost", [3, 7])
def test_a_file_that_is_not_there_costs_its_slice(disc, lost):
    files = files_of(disc)
    files[lost].unlink()
    volume = read_dicom(files[0])
    assert "1 of 8 images that the DICOMDIR names are not there" in volume.notes
    assert volume.pixels.shape[2] == (7 if lost == 7 else 8)
    assert len(read_collection(disc).aside) == 3


def test_many_files_that_are_not_there_cost_the_series(disc):
    files = files_of(disc)
    for file in files[:2]:
        file.unlink()
    (row,) = read_collection(disc)
    assert row.name == "series-003"
    with pytest.raises(UnreadableScan, match="one without 2 of 8 images that the DICOMDIR names"):
        read_row(row)
    for file in files[2:]:
        file.unlink()
    (row,) = read_collection(disc)
    assert row.name == "series-003"
    with pytest.raises(UnreadableScan, match="no such file"):
        read_row(row)


def test_a_series_in_two_folders_is_one(disc, slices):
    for file in files_of(disc)[4:]:
        index = pydicom.dcmread(disc / "DICOMDIR")
        old, new = "\\".join(file.relative_to(disc).parts), f"{file.parent.name[:-1]}9"
        for record in index.DirectoryRecordSequence:
            if "\\".join(record.get("ReferencedFileID") or ()) == old:
                record.ReferencedFileID = [*file.relative_to(disc).parts[:-2], new, file.name]
        index.save_as(disc / "DICOMDIR")
        file.parent.with_name(new).mkdir(exist_ok=True)
        file.rename(file.parent.with_name(new) / file.name)
    collection = read_collection(disc)
    assert len(collection) == 8
    assert np.array_equal(read_dicom(collection.rows[7].path).pixels, slices.transpose(2, 1, 0))


def test_a_copy_in_lower_case_is_read_alike(disc):
    for path in sorted(disc.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))
    assert len(read_collection(disc)) == 8
    assert len(read_collection(disc / "dicomdir")) == 8


def test_discs_below_a_folder_are_told_apart(disc, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(disc, tmp_path / "discs" / name)
    rows = read_collection(tmp_path / "discs").rows
    assert {row.name.partition(":")[0] for row in rows} == {"one/series-003", "two/series-003"}


def test_one_that_cannot_be_read_leaves_its_folder(disc):
    (disc / "DICOMDIR").write_bytes((disc / "DICOMDIR").read_bytes()[:600])
    collection = read_collection(disc)
    assert {row.name.partition(":")[0] for row in collection} >= {"VIEWER/series-003", "VIEWER/logo.png"}
    assert len(collection) == 8 + 2
    assert ("DICOMDIR", "an index that cannot be read: its folder is taken instead") in collection.aside


def test_names_lead_to_no_place_outside(disc):
    whole = (disc / "DICOMDIR").read_bytes()
    assert whole.count(b"PT000000\\") == 12
    (disc / "DICOMDIR").write_bytes(whole.replace(b"PT000000\\", b"..\\00000\\"))
    with pytest.raises(UnreadableScan, match="one that names none"):
        read_index(disc / "DICOMDIR")


@pytest.mark.parametrize("kind", ["", "-bigEnd", "-implicit", "-reordered", "-nopatient"])
def test_names_say_patient_and_study_by_their_number(tmp_path, kind):
    shutil.copytree(THEIRS, tmp_path / "disc")
    if kind:
        shutil.copy(THEIRS / f"DICOMDIR{kind}", tmp_path / "disc" / "DICOMDIR")
    collection = read_collection(tmp_path / "disc")
    assert {row.path.parent.name for row in collection} >= {"CR1"}
    assert {row.slice for row in collection} == {None}
    names = [row.name for row in collection]
    assert len(set(names)) == len(names)
    assert all("98892003" not in name and "77654033" not in name for name in names)


@pytest.mark.parametrize("name", ["A" * 300, "\\".join("A" * 40), "A" * 61], ids=["long", "deep", "odd"])
def test_names_beyond_what_a_disc_can_have_name_nothing(disc, name):
    index = pydicom.dcmread(disc / "DICOMDIR")
    for record in index.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record["ReferencedFileID"].validation_mode = IGNORE
            record["ReferencedFileID"].value = name
    index.save_as(disc / "DICOMDIR")
    with pytest.raises(UnreadableScan, match="names none"):
        read_index(disc / "DICOMDIR")
