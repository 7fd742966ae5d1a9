"""Whatever is wrong with a file is told in words that quote no value of its header."""

from __future__ import annotations

import os

import numpy as np
import pydicom
import pytest
from pydicom.config import IGNORE
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML

from atypia.errors import UnreadableScan
from atypia.reading.dicom import is_dicom, read_dicom, read_series
from atypia.reading.dicom.dataset import number, text


def broken(**elements):
    def edit(data, _index):
        for name, value in elements.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (broken(Modality="CT"), "an MR image, received one of the modality CT"),
        (broken(Modality="DOE 4711"), "received one of the modality unknown"),
        (broken(PixelData=None), "a header without pixels"),
        (broken(PixelData=b""), "cut short"),
        (broken(Rows=9000, Columns=30000), "at most 134,217,728 voxels"),
        (broken(Rows=200), "cut short"),
        (broken(Rows=0), "at least one pixel"),
        (broken(BitsStored=8, HighBit=7), "pixels from 0 to 255 by the number of their bits"),
        (broken(BitsStored=20), "20 bits stored of 16"),
        (broken(ImagePositionPatient=None), "without position"),
        (broken(PixelSpacing=[0, 1]), "determinant is zero"),
        (broken(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "right angles"),
        (broken(NumberOfFrames=4), "4 frames and places for 0"),
        (broken(RescaleSlope=float("3e38")), "NaN or infinite"),
    ],
)
def test_bad_headers(tmp_path, slices, write_series, edit, told):
    files = write_series(tmp_path, slices[:3], edit)
    with pytest.raises(UnreadableScan, match="expected") as caught:
        read_dicom(files[0])
    assert told in str(caught.value)
    assert "Planted" not in str(caught.value) + repr(caught.value.__cause__)
    assert "4711" not in str(caught.value)


def test_a_transfer_syntax_without_a_decoder_is_named(tmp_path, slices, write_series):
    def edit(data, _index):
        data.PixelData = encapsulate([data.PixelData])
        data.file_meta.TransferSyntaxUID = MPEG2MPML
        data["PixelData"].VR = "OB"

    path = write_series(tmp_path, slices[:1], edit)[0]
    with pytest.raises(
        UnreadableScan, match=r"the transfer syntax MPEG2.*pip install .*or export the series uncompressed"
    ):
        read_dicom(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\x08\0\x10\0" * 40]
)
def test_files_that_are_hardly_dicom(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    assert is_dicom(path)
    with pytest.raises(UnreadableScan, match="DICOM"):
        read_dicom(path)


def test_any_cut_of_a_file_gives_an_error_or_the_image(tmp_path, slices, write_series):
    whole = write_series(tmp_path / "whole", slices[:1])[0].read_bytes()
    path = tmp_path / "cut" / "a.dcm"
    path.parent.mkdir()
    for length in range(100, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableScan):
            read_dicom(path)


def test_one_bad_file_leaves_the_other_series(tmp_path, slices, write_series):
    write_series(tmp_path, slices)
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("no DICOM")
    bad, good = read_series(tmp_path)
    assert bad.error is not None
    assert bad.path.name == "broken.dcm"
    assert np.array_equal(read_dicom(good.path).pixels, slices.transpose(2, 1, 0))


def test_one_image_that_does_not_say_where_it_lies_spoils_its_series_alone(tmp_path, slices, write_series):
    def edit(data, index):
        if index == 2:
            del data.ImagePositionPatient

    write_series(tmp_path, slices[:5], edit)
    write_series(tmp_path, slices[:5], uid="1.2.3.4.2")
    told = {series.error is None: series for series in read_series(tmp_path)}
    assert set(told) == {True, False}
    assert "without position" in str(told[False].error)


@pytest.mark.parametrize("place", [1e200, 1e300])
def test_places_beyond_all_bounds_are_none(tmp_path, slices, write_series, place):
    def edit(data, _index):
        data["ImagePositionPatient"].validation_mode = 0
        data["ImagePositionPatient"]._value = [place, 0, 0]
        data["PixelSpacing"]._value = ["1e200", "1e200"]

    (series,) = read_series(write_series(tmp_path, slices[:3], edit)[0].parent)
    assert "without position" in str(series.error)


def test_a_number_longer_than_any_is_none():
    data = pydicom.Dataset()
    data.add(pydicom.DataElement("Rows", "IS", 10**400, validation_mode=IGNORE))
    assert number(data, "Rows") is None


def test_a_sequence_where_a_text_should_be_is_no_text():
    inner = pydicom.Dataset()
    inner.PatientName = "Planted^Name"
    data = pydicom.Dataset()
    data.add(pydicom.DataElement("SeriesDescription", "SQ", [inner]))
    assert text(data, "SeriesDescription") == ""


def test_a_series_of_very_many_geometries_is_refused_before_all_are_compared(tmp_path, write_enhanced):
    def edit(data):
        for place, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
            measures = pydicom.Dataset()
            measures.PixelSpacing = [1 + place / 10, 1]
            frame.PixelMeasuresSequence = [measures]

    pixels = np.zeros((510, 16, 16), np.uint16)
    write_enhanced(tmp_path / "e.dcm", pixels, list(range(510)), edit)
    (series,) = read_series(tmp_path)
    assert "at most 500 directions" in str(series.error)


def test_a_pipe_is_no_dicom_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not is_dicom(tmp_path / "pipe")
