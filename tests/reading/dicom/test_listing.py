"""A folder of DICOM files gives a row for each slice of each series, and says what it set aside."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom.data
import pytest

from atypia.errors import BadTable, UnreadableScan
from atypia.reading.collection import read_collection, read_collections, write_collection
from atypia.reading.rows import read_row


def described(words, number=3, **elements):
    def edit(data, _index):
        data.SeriesDescription, data.SeriesNumber = words, number
        for name, value in elements.items():
            setattr(data, name, value)

    return edit


@pytest.fixture
def study(tmp_path, slices, write_series) -> Path:
    """Two series, a localizer, a derived map and a CT in one folder, and a text."""
    folder = tmp_path / "study"
    localizer = described("AAHead_Scout", 1)
    derived = described("dwi", 7, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"])
    for number, edit in enumerate((described("t2_tse_tra"), described("t1_mprage", 11), localizer, derived)):
        write_series(folder, slices[: 8 - number], edit, uid=f"1.2.{number}")
    write_series(folder / "ct", slices[:2], described("head", 2, Modality="CT"), uid="1.2.9")
    (folder / "readme.txt").write_text("no DICOM")
    return folder


def test_a_folder_of_mixed_series(study, slices):
    collection = read_collection(study)
    names = [row.name for row in collection]
    assert names[:2] == ["series-003:ax000", "series-003:ax001"]
    assert [name.partition(":")[0] for name in names] == ["series-003"] * 8 + ["series-011"] * 7 + [
        "ct/series-002"
    ]
    assert {row.sequence for row in collection} == {"T2", "T1", None}
    assert np.array_equal(read_row(collection.rows[2]).pixels, slices[2])
    assert collection.aside == (
        ("series-001", "a localizer"),
        ("series-007", "a derived image (ADC)"),
    )
    (group,) = {row.group for row in collection if row.slice is not None}
    assert group is not None
    assert group.startswith("patient-")
    assert "4711" not in group


def test_any_file_of_a_series_and_all_of_them_stand_for_it_once(study):
    files = sorted(study.glob("0-*"))
    one, many = read_collection(files[5]), read_collections(files)
    assert [row.name for row in one][:1] == ["series-003:ax000"]
    assert many.rows == one.rows
    assert len(one) == 8


def test_what_a_folder_sets_aside_is_read_where_its_file_is_named(study):
    assert len(read_collection(next(study.glob("2-*")))) == 6
    shutil.rmtree(study / "ct")
    for file in (*study.glob("0-*"), *study.glob("1-*")):
        file.unlink()
    with pytest.raises(BadTable, match=r"none is one: a derived image \(ADC\), a localizer"):
        read_collection(study)


def test_the_slices_are_written_to_a_table_and_read_back(study, tmp_path):
    collection = read_collection(study)
    scans = replace(collection, rows=tuple(row for row in collection if row.slice is not None))
    write_collection(scans, tmp_path / "table.csv")
    again = read_collection(tmp_path / "table.csv")
    assert [(row.path, row.plane, row.slice, row.group) for row in again] == [
        (row.path, row.plane, row.slice, row.group) for row in scans
    ]


@pytest.mark.usefixtures("study")
def test_a_table_names_a_series_by_any_file_of_it(tmp_path):
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), ("study/0-0003", "normal", "p1")])
    rows = read_collection(tmp_path / "table.csv").rows
    assert len(rows) == 8
    assert {(row.label, row.group) for row in rows} == {("normal", "p1")}


def test_studies_side_by_side_have_names_of_their_own(tmp_path, slices, write_series):
    for name in ("a", "b"):
        write_series(tmp_path / name, slices[:2], uid=f"1.2.{ord(name)}")
    rows = read_collections([tmp_path / "a", tmp_path / "b"]).rows
    assert [row.name for row in rows] == [
        "a/series-003:ax000", "a/series-003:ax001", "b/series-003:ax000", "b/series-003:ax001",
    ]  # fmt: skip


def test_class_folders_label_dicom_too(tmp_path, slices, write_series):
    write_series(tmp_path / "healthy" / "one", slices[:2])
    assert {(row.label, row.kind) for row in read_collection(tmp_path)} == {("normal", "healthy")}


def test_three_directions_in_a_series_are_a_localizer(tmp_path, slices, write_series):
    directions = ((1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1))
    for number, orientation in enumerate(directions):
        (file,) = write_series(tmp_path / "x", slices[:1], orientation=orientation)
        file.rename(tmp_path / f"{number}.dcm")
    write_series(tmp_path, slices, uid="1.2.5")
    collection = read_collection(tmp_path)
    assert len(collection) == 8
    assert len(collection.aside) == 3


def test_whatever_comes_with_pydicom_is_listed_or_set_aside(tmp_path):
    there = Path(pydicom.data.__file__).parent / "test_files"
    shutil.copytree(there, tmp_path / "files")
    collection = read_collection(tmp_path / "files")
    assert len(collection.aside) > 50
    for row in collection:
        with pytest.raises(UnreadableScan) as told:
            read_row(row)
        assert told.value.expected


def test_each_volume_of_an_enhanced_file_is_cut_by_itself(tmp_path, slices, write_enhanced):
    def echoes(data):
        for index, own in enumerate(data.PerFrameFunctionalGroupsSequence):
            echo = pydicom.Dataset()
            echo.EffectiveEchoTime = 20 + 60 * (index % 2)
            own.MREchoSequence = [echo]

    write_enhanced(tmp_path / "e.dcm", slices, [0.0, 0.0, 5.0, 5.0, 10.0, 10.0, 15.0, 15.0], echoes)
    collection = read_collection(tmp_path)
    assert [row.name for row in collection] == [
        f"series-003{which}:ax{index:03}" for which in ("", "-2") for index in range(4)
    ]
    for row, image in zip(collection, slices[[0, 2, 4, 6, 1, 3, 5, 7]], strict=True):
        assert np.array_equal(read_row(row).pixels, image * 2.0 - 1)
    write_collection(collection, tmp_path / "table.csv")
    again = read_collection(tmp_path / "table.csv")
    assert [row.name for row in again][3:5] == ["e.dcm:vol0:ax003", "e.dcm:vol1:ax000"]
    assert np.array_equal(read_row(again.rows[5]).pixels, slices[3] * 2.0 - 1)


def test_any_name_of_an_enhanced_file_stands_for_all_its_volumes(tmp_path, slices, write_enhanced):
    def stacks(data):
        for index, own in enumerate(data.PerFrameFunctionalGroupsSequence):
            content = pydicom.Dataset()
            content.StackID = str(index // 4)
            own.FrameContentSequence = [content]

    file = write_enhanced(tmp_path / "e.dcm", slices, [0.0, 5.0, 10.0, 15.0] * 2, stacks)
    assert [row.name for row in read_collections([file, tmp_path])][3:5] == [
        "series-003:ax003", "series-003-2:ax000",
    ]  # fmt: skip
    with (tmp_path / "table.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("path", "label"), ("e.dcm", "normal")])
    rows = read_collection(tmp_path / "table.csv").rows
    assert [row.name for row in rows][3:5] == ["e.dcm:vol0:ax003", "e.dcm:vol1:ax000"]
    for volume, told in ((None, "the number of one in it, received one with 2"), ("2", "with 2 volumes")):
        with pytest.raises(UnreadableScan, match=told):
            read_row(replace(rows[0], volume=volume))
