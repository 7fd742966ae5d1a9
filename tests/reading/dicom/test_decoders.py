"""Compressed pixels are what the header says of them, or no decoder sees them: found by fuzzing."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from atypia.errors import UnreadableScan
from atypia.reading.dicom import read_dicom, read_series
from atypia.reading.dicom.decoders import prepare_decoder

IMAGE = np.add.outer(np.arange(20), 5 * np.arange(24)).astype(np.uint8)


def stream_of(kind: str, pixels: np.ndarray = IMAGE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def packed(syntax: str, stream: bytes, **elements: Any) -> Any:
    """An edit of a series: its images become this stream."""

    def edit(data: Any, _index: int) -> None:
        data.file_meta.TransferSyntaxUID = UID(syntax)
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit = 7
        data.PixelData = encapsulate([stream])
        data["PixelData"].VR = "OB"
        for name, value in elements.items():
            setattr(data, name, value)

    return edit


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_sound_streams_are_read(tmp_path, write_series, kind):
    options = {"JPEG": {"quality": 100}, "JPEG2000": {"no_jp2": True}}[kind]
    syntax = {"JPEG": JPEGBaseline8Bit, "JPEG2000": JPEG2000Lossless}[kind]
    (path,) = write_series(tmp_path, IMAGE[None], packed(syntax, stream_of(kind, **options)))
    np.testing.assert_allclose(read_dicom(path).pixels[..., 0].T, IMAGE, atol=2)


@pytest.mark.parametrize(
    ("syntax", "stream"),
    [
        (JPEGBaseline8Bit, stream_of("JPEG", np.zeros((4000, 5000), np.uint8))),
        (JPEGBaseline8Bit, stream_of("JPEG")[:20]),
        (JPEGBaseline8Bit, b"no JPEG"),
        (JPEGBaseline8Bit, stream_of("JPEG")[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 80),
        (JPEGBaseline8Bit, stream_of("JPEG", np.zeros((20, 24, 3), np.uint8))),
        (JPEG2000Lossless, stream_of("JPEG2000", np.zeros((900, 900), np.uint8), no_jp2=True)),
        (JPEG2000Lossless, b"\xff\x4f\xff\x51short"),
        (JPEGLSLossless, b"\xff\xd8\xff\xf7\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xda" + bytes(40)),
        (JPEGLosslessSV1, stream_of("JPEG")),
    ],
    ids=["large", "cut", "text", "passes", "colour", "large-2000", "cut-2000", "large-ls", "lossy"],
)  # fmt: skip
def test_streams_of_another_size_or_kind_are_refused(tmp_path, write_series, syntax, stream):
    (path,) = write_series(tmp_path, IMAGE[None], packed(syntax, stream))
    with pytest.raises(UnreadableScan, match="whole pixels"):
        read_dicom(path)


@pytest.mark.parametrize(
    "elements",
    [{"BitsAllocated": 16}, {"BitsAllocated": 16, "BitsStored": 12}, {"BitsStored": 12}],
    ids=["allocated", "both", "stored"],
)
@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1], ids=["baseline", "lossless"])
def test_bits_that_contradict_the_stream_do_not_end_the_process(tmp_path, write_series, syntax, elements):
    stream = stream_of("JPEG")
    if syntax == JPEGLosslessSV1:
        stream = stream.replace(b"\xff\xc0", b"\xff\xc3", 1)
    (path,) = write_series(tmp_path, IMAGE[None], packed(syntax, stream, **elements))
    with pytest.raises(UnreadableScan):
        read_dicom(path)


def test_packages_are_chosen_by_the_syntax() -> None:
    data = pydicom.Dataset()
    prepare_decoder(data, "1.2.840.10008.1.2.5")
    data.Rows, data.Columns, data.SamplesPerPixel = 20, 24, 1
    data.PixelData = encapsulate([stream_of("JPEG")])
    prepare_decoder(data, JPEGBaseline8Bit)
    assert data._pixel_array_opts["decoding_plugin"] == "pillow"


def bomb(path: Path, unpacked: int) -> Path:
    """A file in the deflated transfer syntax whose data set unpacks to so many bytes."""
    # One element of group 9 with a text of blanks, as long as it takes.
    head = b"\x09\0\x10\0UN\0\0" + unpacked.to_bytes(4, "little")
    return deflated(path, head, *(bytes(2**20) for _ in range(unpacked // 2**20)))


def deflated(path: Path, *unpacked: bytes) -> Path:
    """A file in the deflated transfer syntax with these bytes for a data set."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Modality = "MR"
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    whole = path.read_bytes()
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    head = whole[: whole.rindex(b"1.2.840.10008.1.2.1.99") + 22]
    path.write_bytes(b"".join([head, *map(packer.compress, unpacked), packer.flush()]))
    return path


def test_a_deflated_bomb_is_not_unpacked(tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.dcm", 2**27)
    assert path.stat().st_size < 2**19
    monkeypatch.setattr("pydicom.dcmread", lambda *_, **__: pytest.fail("the bomb was read"))
    (series,) = read_series(tmp_path)
    assert "bytes in a deflated data set, received more" in str(series.error)


EMPTY = b"\x09\0\x10\0LO\0\0"
ITEM, ENDLESS = b"\xfe\xff\x00\xe0", b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"\x09\0\x10\0SQ\0\0" + ENDLESS + ITEM + ENDLESS,
        b"\x09\0\x10\0UN\0\0" + ENDLESS + ITEM + ENDLESS,
        b"\x09\0\x10\0SQ\0\0" + ENDLESS + 50 * (ITEM + bytes(4)),
        b"\x09\0\x10\0SQ\0\0" + (408).to_bytes(4, "little") + ITEM + (400).to_bytes(4, "little"),
    ],
    ids=[
        "elements",
        "in a sequence",
        "in a sequence of unknown type",
        "empty items",
        "in a sequence of a length",
    ],
)
def test_a_deflated_data_set_of_too_many_elements_is_not_parsed(begin, tmp_path, monkeypatch):
    monkeypatch.setattr("atypia.reading.dicom.deflated._ALWAYS_ELEMENTS", 20)
    deflated(tmp_path / "many.dcm", begin, EMPTY * 50)
    monkeypatch.setattr("atypia.reading.dicom.deflated._BYTES_AN_ELEMENT", 100)
    monkeypatch.setattr("pydicom.dcmread", lambda *_, **__: pytest.fail("it was parsed"))
    (series,) = read_series(tmp_path)
    assert "at most 20 elements in a deflated data set, received more" in str(series.error)


def test_a_header_that_tells_of_more_than_a_file_can_hold_is_refused(tmp_path, write_series):
    stream = stream_of("JPEG")
    (path,) = write_series(tmp_path, IMAGE[None], packed(JPEGBaseline8Bit, stream, Rows=8000, Columns=9000))
    with pytest.raises(UnreadableScan, match="as many pixels as"):
        read_dicom(path)
