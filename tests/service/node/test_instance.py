"""What a received file is, and whether it is whole."""

from __future__ import annotations

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from atypia.service.node.instance import examine
from atypia.service.node.outcome import Outcome, Refusal


@pytest.fixture(scope="module")
def file(write_study, tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("one"), count=1)[0]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return tmp_path_factory.mktemp("room") / "cut.dcm"


def written_as(file, place, syntax):
    data = pydicom.dcmread(file)
    if syntax == RLELossless:
        data.compress(RLELossless)
        pydicom.dcmwrite(place, data, enforce_file_format=True)
    else:
        data.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            place, data, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
        )  # fmt: skip
    return place


def test_an_image_is_told_by_its_header(file):
    data, told = pydicom.dcmread(file), examine(file)
    assert (told.uid, told.study_uid, told.kind) == (
        data.SOPInstanceUID,
        data.StudyInstanceUID,
        data.SOPClassUID,
    )
    assert told.judged
    assert told.bytes == file.stat().st_size
    assert data.StudyInstanceUID not in repr(told)
    assert data.SOPInstanceUID not in repr(told)


def test_the_hash_does_not_change_with_the_preamble(file, tmp_path):
    data = pydicom.dcmread(file)
    data.preamble = b"x" * 128
    data.file_meta.ImplementationVersionName = "ANOTHER"
    pydicom.dcmwrite(tmp_path / "other.dcm", data, enforce_file_format=True)
    assert examine(tmp_path / "other.dcm").sha256 == examine(file).sha256
    data.InstanceNumber = 99
    pydicom.dcmwrite(tmp_path / "other.dcm", data, enforce_file_format=True)
    assert examine(tmp_path / "other.dcm").sha256 != examine(file).sha256


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_other_transfer_syntaxes_are_read(file, tmp_path, syntax):
    place = written_as(file, tmp_path / "other.dcm", syntax)
    assert examine(place).judged
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(Refusal) as caught:
        examine(place)
    assert caught.value.outcome is Outcome.UNREADABLE


def test_a_deflated_file_is_refused(file, tmp_path):
    with pytest.raises(Refusal) as caught:
        examine(written_as(file, tmp_path / "d.dcm", DeflatedExplicitVRLittleEndian))
    assert caught.value.outcome is Outcome.SYNTAX


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_never_judged(file, room, share):
    whole = file.read_bytes()
    room.write_bytes(whole[: int(share * len(whole))])
    try:
        judged = examine(room).judged
    except Refusal:
        judged = False
    assert not judged, "cut between two elements before the pixels it may be an object without any"


@given(noise=st.binary(max_size=400), with_magic=st.booleans())
def test_noise_is_refused(room, noise, with_magic):
    room.write_bytes(bytes(128) + b"DICM" + noise if with_magic else noise)
    with pytest.raises(Refusal):
        examine(room)


@pytest.mark.parametrize("without", ["PixelData", "Rows", "Modality"])
def test_an_object_that_is_no_mr_image_is_not_judged(write_study, tmp_path, without):
    (file,) = write_study(tmp_path, count=1, edit=lambda data, _index: delattr(data, without))
    assert not examine(file).judged


@pytest.mark.parametrize("without", ["StudyInstanceUID", "SOPInstanceUID"])
def test_what_cannot_be_told_apart_is_refused(file, tmp_path, without):
    data = pydicom.dcmread(file)
    data[without].value = ""
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    place = tmp_path / "nameless.dcm"
    with place.open("wb") as out:
        pydicom.dcmwrite(out, data)
    with pytest.raises(Refusal):
        examine(place)
