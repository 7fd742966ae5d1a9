"""DICOM series: cut and flipped, with headers that lie, in every packing, with and without a DICOMDIR."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from bad_corpus.corpus import EITHER, JUDGED, UNREADABLE, Corpus, Pixels
from bad_corpus.pictures import encoded

MR, ENHANCED = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
_ROOT = "1.2.826.0.1.3680043.8.498"
_SLICES = 2


def make(corpus: Corpus) -> None:
    """Write each series into a folder of its own."""
    heads = corpus.heads[5 : 5 + _SLICES]
    _packings(corpus, heads)
    _cut(corpus, heads)
    for name, edit in _LIES.items():
        _series(corpus, f"lie-{name}", heads, edit, "lying header", EITHER)
    _raw(corpus, heads)
    _enhanced(corpus, heads)
    _indexes(corpus, heads)


def slice_of(pixels: Pixels, index: int, series: int = 1) -> Dataset:
    """Return one image of a series, before it is written."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MR
    uid = f"{_ROOT}.{series}.{index + 1}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{_ROOT}.{series}", f"{_ROOT}.{series}.0"
    data.PatientID, data.PatientName, data.StudyID = f"made-{series}", "Made^Up", "1"
    data.StudyDate, data.StudyTime = "20000101", "000000"
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 3, index + 1
    data.ImageType, data.SeriesDescription = ["ORIGINAL", "PRIMARY", "M", "ND"], "t2_tse_tra"
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [2, 2], 5
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB"
    return data


def written(data: Dataset, **options: Any) -> bytes:
    """Return an object as the bytes of its file."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True, **options)
    return file.getvalue()


def _number(corpus: Corpus) -> int:
    return 10 + len(corpus.cases)


Edit = Callable[[Dataset, int], Any]


def _series(
    corpus: Corpus, name: str, heads: Pixels, edit: Edit | None, fault: str, told: str, form: str = "dicom"
) -> None:
    """Write a series, each of whose images is edited; values are not checked."""
    number, files = _number(corpus), {}
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index, head in enumerate(heads):
            data = slice_of(head, index, number)
            content = edit(data, index) if edit else None
            files[f"{index:04d}.dcm"] = content if isinstance(content, bytes) else written(data)
    corpus.add_series(f"{form}/{name}", files, form, fault, told)


def _packings(corpus: Corpus, heads: Pixels) -> None:
    """Every packing that is read without further decoders, and one of each that may not be."""

    def packed(syntax: str, content: Callable[[Dataset], bytes]) -> Edit:
        def edit(data: Dataset, _index: int) -> None:
            frame = content(data)
            data.file_meta.TransferSyntaxUID = syntax
            data.PixelData = encapsulate([frame])
            data["PixelData"].is_undefined_length = True

        return edit

    def run_length(data: Dataset, _index: int) -> None:
        data.compress(RLELossless, generate_instance_uid=False)

    def syntax(uid: str) -> Edit:
        def edit(data: Dataset, _index: int) -> bytes:
            data.file_meta.TransferSyntaxUID = uid
            return written(data)

        return edit

    def swapped(data: Dataset, _index: int) -> bytes:
        data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data["PixelData"].VR = "OB"
        return written(data)

    def frame_of(kind: str, **options: Any) -> Callable[[Dataset], bytes]:
        return lambda data: encoded(
            np.frombuffer(data.PixelData, np.uint8).reshape(data.Rows, data.Columns), kind, **options
        )

    for name, edit in {
        "plain": None,
        "implicit": syntax(ImplicitVRLittleEndian),
        "big-endian": swapped,
        "deflated": syntax(DeflatedExplicitVRLittleEndian),
        "run-length": run_length,
        "jpeg": packed(JPEGBaseline8Bit, frame_of("JPEG")),
        "jpeg2000": packed(JPEG2000Lossless, frame_of("JPEG2000")),
    }.items():
        told = JUDGED if name in ("plain", "implicit", "big-endian", "deflated", "run-length") else EITHER
        _series(corpus, f"packed-{name}", heads, edit, "none", told)
    for name, syntax_uid, frame in (
        ("film", MPEG2MPML, b"no film"),
        ("jpeg-cut", JPEGBaseline8Bit, encoded(heads[0], "JPEG")[:500]),
        ("jpeg-huge", JPEGBaseline8Bit, encoded(np.zeros((3000, 3000), np.uint8), "JPEG")),
        ("jpeg-of-nothing", JPEGBaseline8Bit, b"\0\0"),
        ("run-length-garbage", RLELossless, b"\xff" * 200),
    ):
        _series(
            corpus,
            f"packed-{name}",
            heads,
            packed(syntax_uid, lambda _data, frame=frame: frame),
            "lying header",
            EITHER,
        )


def _cut(corpus: Corpus, heads: Pixels) -> None:
    """Single files, cut where an element begins or in its middle, and with flipped bits."""
    content = written(slice_of(heads[0], 0, 5))
    places = [0, 1, 100, 127, 128, 131, 132, 133, 140, 144, 160, 200, len(content) - 1]
    header = content[: content.index(b"\xe0\x7f\x10\x00")]
    places += [
        header.index(tag)
        for tag in (b"\x08\0\x16\0", b"\x20\0\x0e\0", b"\x20\0\x32\0", b"\x28\0\x10\0", b"\x28\0\x03\x01")
    ]
    places += [len(header), len(header) + 12, (len(header) + len(content)) // 2]
    for at in sorted(set(places)):
        corpus.add_series(f"dicom/cut-{at}", {"a.dcm": content[:at]}, "dicom", "cut short", EITHER)
    for number, bit in enumerate(corpus.rng(5).integers(0, 8 * (len(header) + 12), 20).tolist()):
        copy = bytearray(content)
        copy[bit // 8] ^= 1 << bit % 8
        corpus.add_series(f"dicom/flip-{number}", {"a.dcm": bytes(copy)}, "dicom", "flipped bit", EITHER)


def _set(**elements: Any) -> Edit:
    def edit(data: Dataset, _index: int) -> None:
        for name, value in elements.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)

    return edit


def _many(data: Dataset, _index: int) -> None:
    block = data.private_block(0x0011, "made up", create=True)
    for element in range(200):
        block.add_new(element, "UN", bytes(32))


_NO_NUMBER = "no number"
_LIES: dict[str, Edit] = {
    "huge-size": _set(Rows=60000, Columns=60000),
    "more-rows": _set(Rows=4000),
    "no-rows": _set(Rows=0),
    "rows-gone": _set(Rows=None),
    "bits-allocated-7": _set(BitsAllocated=7),
    "bits-allocated-0": _set(BitsAllocated=0),
    "bits-allocated-64": _set(BitsAllocated=64),
    "bits-stored-20": _set(BitsStored=20, HighBit=19),
    "signed": _set(PixelRepresentation=1),
    "signed-9": _set(PixelRepresentation=9),
    "samples-3": _set(SamplesPerPixel=3),
    "samples-0": _set(SamplesPerPixel=0),
    "colour": _set(PhotometricInterpretation="YBR_FULL"),
    "no-such-colour": _set(PhotometricInterpretation="NO SUCH"),
    "dark-is-high": _set(PhotometricInterpretation="MONOCHROME1"),
    "frames-4": _set(NumberOfFrames=4),
    "frames-negative": _set(NumberOfFrames=-1),
    "frames-many": _set(NumberOfFrames=2**31 - 1),
    "spacing-zero": _set(PixelSpacing=[0, 0]),
    "spacing-negative": _set(PixelSpacing=[-2, -2]),
    "spacing-huge": _set(PixelSpacing=["1e300", "1e300"]),
    "spacing-tiny": _set(PixelSpacing=["1e-300", "1e-300"]),
    "spacing-one": _set(PixelSpacing=[2]),
    "direction-zero": _set(ImageOrientationPatient=[0, 0, 0, 0, 0, 0]),
    "direction-same": _set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
    "direction-huge": _set(ImageOrientationPatient=["1e300", 0, 0, 0, "1e300", 0]),
    "direction-gone": _set(ImageOrientationPatient=None),
    "place-gone": _set(ImagePositionPatient=None),
    "place-same": _set(ImagePositionPatient=[0, 0, 0]),
    "place-huge": lambda data, index: setattr(
        data, "ImagePositionPatient", [0, 0, f"{(index - 1) * 1.7:.1f}e308"]
    ),
    "place-tiny": lambda data, index: setattr(data, "ImagePositionPatient", [0, 0, f"{index}e-300"]),
    "place-far": lambda data, index: setattr(data, "ImagePositionPatient", [0, 0, f"{index * index}e12"]),
    "slope-zero": _set(RescaleSlope=0, RescaleIntercept=0),
    "slope-huge": _set(RescaleSlope="1e300", RescaleIntercept=0),
    "slope-nan": _set(RescaleSlope="nan", RescaleIntercept="inf"),
    "padding": _set(PixelPaddingValue=0),
    "padding-all": lambda data, _index: (
        setattr(data, "PixelData", bytes(len(data.PixelData))),
        setattr(data, "PixelPaddingValue", 0),
    ),
    "constant": lambda data, _index: setattr(data, "PixelData", b"M" * len(data.PixelData)),
    "no-pixels": _set(PixelData=None),
    "pixels-of-nothing": _set(PixelData=b""),
    "another-modality": _set(Modality="CT"),
    "no-modality": _set(Modality=None),
    "series-number-huge": _set(SeriesNumber="9" * 12),
    "no-series": _set(SeriesInstanceUID=None),
    "no-instances": _set(SOPInstanceUID="1.2"),
    "localizer": _set(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "no-character-set": _set(SpecificCharacterSet="NO SUCH", SeriesDescription="Größe"),
    "long-text": _set(SeriesDescription="x" * 70_000),
    "many-private": _many,
    "one-slice-turned": lambda data, index: (
        index == 1 and setattr(data, "ImageOrientationPatient", [0, 1, 0, 0, 0, -1])
    ),
    "one-slice-smaller": lambda data, index: (
        index == 1 and (setattr(data, "Rows", 10), setattr(data, "PixelData", bytes(10 * data.Columns)))
    ),
}


def _raw(corpus: Corpus, heads: Pixels) -> None:
    """Files whose bytes are changed after they were written."""
    plain = written(slice_of(heads[0], 0, 6))
    at = plain.index(b"\xe0\x7f\x10\x00")
    implicit = slice_of(heads[0], 0, 7)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    syntax = plain.index(ExplicitVRLittleEndian.encode())
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (
        packer.compress(plain[plain.index(b"\x08\0\x08\0") : at])
        + packer.compress(bytes(90_000_000))
        + packer.flush()
    )
    deflated = slice_of(heads[0], 0, 8)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    start = written(deflated)
    made = {
        "deep": plain[:at] + _nested(200) + plain[at:],
        "too-deep": plain[:at] + _nested(20_000) + plain[at:],
        "length-of-all": plain[: at + 8] + struct.pack("<I", 0xFFFFFFFE) + plain[at + 12 :],
        "length-without-end": plain[: at + 8] + struct.pack("<I", 0xFFFFFFFF) + plain[at + 12 :],
        "meta-length": plain[:140] + struct.pack("<I", 2**31) + plain[144:],
        "other-syntax": plain[:syntax]
        + ExplicitVRBigEndian.encode()
        + plain[syntax + len(ExplicitVRBigEndian) :],
        "no-such-syntax": plain[:syntax] + b"9.9.999.99999.9.9.9" + plain[syntax + 19 :],
        "no-preamble": plain[132:],
        "preamble-alone": plain[:132],
        "no-vr": plain.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0\0\0"),
        "more-behind": plain + bytes(100_000),
        "all-twice": plain + plain[132:],
        "deflated-bomb": start[: start.index(b"\x02\0\x10\0") + 8 + 22] + bomb,
    }
    if corpus.bombs:  # it takes seconds to be refused
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        many = packer.compress(b"\x09\0\x10\0LO\0\0" * 8_000_000) + packer.flush()
        made["deflated-many"] = start[: start.index(b"\x02\0\x10\0") + 8 + 22] + many
    for name, content in made.items():
        corpus.add_series(f"dicom/raw-{name}", {"a.dcm": content}, "dicom", "lying header", EITHER)


def _nested(depth: int) -> bytes:
    """Return sequences within sequences, of undefined lengths."""
    begin = b"\x28\0\x10\x90SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    return begin * depth + (b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)) * depth


def enhanced(heads: Pixels, number: int) -> Dataset:
    """Return an enhanced image with a frame for each slice."""
    data = slice_of(heads[0], 0, number)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = ENHANCED
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(data, name)
    direction, measures, shared = Dataset(), Dataset(), Dataset()
    direction.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 2], 5
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [direction], [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = []
    for index in range(len(heads)):
        place, own = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, 5 * index]
        own.PlanePositionSequence = [place]
        data.PerFrameFunctionalGroupsSequence.append(own)
    data.NumberOfFrames = len(heads)
    data.PixelData = heads.tobytes()
    data["PixelData"].VR = "OB"
    return data


def _enhanced(corpus: Corpus, heads: Pixels) -> None:
    def gone(data: Dataset) -> None:
        data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:-1]

    def empty(data: Dataset) -> None:
        data.PerFrameFunctionalGroupsSequence = [Dataset() for _ in heads]

    edits: dict[str, tuple[Callable[[Dataset], Any], str]] = {
        "whole": (lambda _data: None, JUDGED),
        "one-place-gone": (gone, UNREADABLE),
        "no-places": (empty, EITHER),
        "many-frames": (lambda data: setattr(data, "NumberOfFrames", 10**6), UNREADABLE),
        "no-shared": (lambda data: delattr(data, "SharedFunctionalGroupsSequence"), EITHER),
        "pixels-cut": (lambda data: setattr(data, "PixelData", data.PixelData[:-1000]), EITHER),
    }
    for name, (edit, told) in edits.items():
        data = enhanced(heads, _number(corpus))
        edit(data)
        data["PixelData"].VR = "OB"
        corpus.add_series(
            f"dicom/enhanced-{name}",
            {"a.dcm": written(data)},
            "dicom",
            "none" if name == "whole" else "lying header",
            told,
        )


def _indexes(corpus: Corpus, heads: Pixels) -> None:
    """Discs with a DICOMDIR: whole, cut, going round in circles, naming what is not there or lies outside."""

    def circle(content: bytes) -> bytes:
        at = content.index(b"\x04\0\x00\x14UL\x04\0")
        return content[: at + 8] + content[at + 8 + 12 :][:4] + content[at + 12 :]

    def outside(content: bytes) -> bytes:
        return content.replace(b"PT000000\\ST000000", b"..\\..\\..\\etc\\hos")

    for name, edit, told in (
        ("whole", lambda content: content, EITHER),
        ("cut", lambda content: content[:600], EITHER),
        ("empty", lambda _content: b"", EITHER),
        ("garbage", lambda _content: b"no index", EITHER),
        ("circle", circle, EITHER),
        ("outside", outside, EITHER),
    ):
        number, folder = _number(corpus), corpus.scans / "dicomdir" / name
        folder.mkdir(parents=True)
        disc = FileSet()
        for index, head in enumerate(heads):
            disc.add(slice_of(head, index, number))
        disc.write(folder)
        disc._stage["t"].cleanup()
        index_file = folder / "DICOMDIR"
        index_file.write_bytes(edit(index_file.read_bytes()))
        corpus.note(f"dicomdir/{name}", "dicomdir", "none" if name == "whole" else "lying header", told)
