"""DICOM: single images, enhanced ones, compressed ones, a disc's DICOMDIR, and folders of several files.

An input is one file, or a zip (which stands for a folder) of up to 8 files under names of the target's own.
"""

from __future__ import annotations

import gc
import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.dicom import identifiers_of, is_index, read_dicom, read_index, read_series, series_named
from atypia.reading.dicom.volume import all_series_of
from atypia.reading.head_extent import with_head
from fuzz.place import folder
from fuzz.scans import small_volume
from fuzz.target import FLOATS, NUMBERS, Seed, Target, scramble

_MR, _ENHANCED = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
_MOST_FILES, _MOST_BYTES = 8, 2**18
_NAMES = ("IM0", "IM1", "IM2", "IM3", "IM4", "IM5", "IM6")


def seeds() -> Iterator[Seed]:
    """Make files of each kind that is read, and a disc with its index."""
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        ImplicitVRLittleEndian,
        JPEGLSLossless,
        RLELossless,
    )

    pixels = small_volume(16, 5).astype(np.uint16)
    images = [_image(pixels[..., place], place) for place in range(pixels.shape[2])]
    yield "explicit.dcm", _bytes(images[2])
    for name, syntax in (
        ("implicit", ImplicitVRLittleEndian),
        ("big", ExplicitVRBigEndian),
        ("deflated", DeflatedExplicitVRLittleEndian),
    ):
        yield f"{name}.dcm", _bytes(_in(_image(pixels[..., 2], 2), syntax))
    for name, syntax in (("rle", RLELossless), ("ls", JPEGLSLossless)):
        packed = _image(pixels[..., 2], 2)
        packed.compress(syntax)
        yield f"{name}.dcm", _bytes(packed)
    yield "baseline.dcm", _bytes(_baseline(pixels[..., 2]))
    yield "wavelets.dcm", _bytes(_wavelets(pixels[..., 2]))
    yield from _lossless(_bytes(images[2]))
    yield "enhanced.dcm", _bytes(_enhanced(pixels))
    yield "series.zip", _zipped({name: _bytes(image) for name, image in zip(_NAMES, images, strict=False)})
    yield from _disc(images[:3])


def _disc(images: list[Any]) -> Iterator[Seed]:
    from pydicom.fileset import FileSet

    disc = FileSet()
    for image in images:
        image.PatientName, image.StudyDate, image.StudyTime, image.StudyID = "A^B", "20200101", "1000", "1"
        disc.add(image)
    with folder({}) as place:
        disc.write(place)
        files = sorted(file for file in place.rglob("*") if file.is_file() and file.name != "DICOMDIR")
        index = (place / "DICOMDIR").read_bytes()
        yield "disc.zip", _zipped({"DICOMDIR": index} | {f.name: f.read_bytes() for f in files})
        yield "index.zip", _zipped({"DICOMDIR": index})
    with warnings.catch_warnings():  # its own temporary folder goes with it, and says so
        warnings.simplefilter("ignore")
        del disc
        gc.collect()


def change(data: bytes, chance: Random) -> bytes:
    """Change one element of one file, which is written anew; or some bytes of a file in the zip."""
    if not data.startswith(b"PK"):
        return _changed(data, chance)
    files = _files(data)
    name = chance.choice(list(files))
    if chance.random() < 0.2:
        files[chance.choice(("DICOMDIR", *_NAMES))] = files[name]
    else:
        files[name] = (
            _changed(files[name], chance) if chance.random() < 0.8 else scramble(files[name], chance)
        )
    return _zipped(files)


def run(data: bytes) -> None:
    """Put the files into a folder, and read series, index and volumes there."""
    with folder(_files(data)) as place:
        found = list(read_series(place))
        for series in found:
            if series.stack is not None:
                with suppress(UnreadableScan):
                    _judged(series.path)
        for file in sorted(place.iterdir()):
            with suppress(UnreadableScan):
                all_series_of(file)
            with suppress(UnreadableScan):
                _index(file) if is_index(file) else identifiers_of(file)


def _index(file: Path) -> None:
    for _, series in series_named(read_index(file)):
        assert series.stack is not None or series.error is not None or series.aside is not None


def _judged(path: Path) -> None:
    volume = read_dicom(path, volume=None)
    assert np.isfinite(volume.pixels).all()
    for index in islice(with_head(volume, volume.plane), 2):
        volume.slice(volume.plane, index)


def _files(data: bytes) -> dict[str, bytes]:
    if not data.startswith(b"PK"):
        return {"IM0.dcm": data}
    with suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()[:_MOST_FILES]
        if sum(member.file_size for member in members) <= _MOST_BYTES:
            return {
                member.filename: archive.read(member)
                for member in members
                if member.filename in ("DICOMDIR", *_NAMES)
            }
    return {"IM0.dcm": data}


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for (_, data), name in zip(sorted(files.items()), _called(files), strict=False):
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _called(files: dict[str, bytes]) -> Iterator[str]:
    if "DICOMDIR" in files:
        yield "DICOMDIR"
    yield from _NAMES


def _image(pixels: Any, place: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = _MR
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.{place + 1}"
    data.Modality, data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID = "MR", "1", "1.2", "1.2.3"
    data.SeriesNumber, data.InstanceNumber, data.SeriesDescription = 3, place + 1, "t2_tse_tra"
    data.ImageType, data.RepetitionTime, data.EchoTime = ["ORIGINAL", "PRIMARY", "M"], 4000, 100
    data.ScanningSequence, data.MagneticFieldStrength = "SE", 3
    data.ImagePositionPatient, data.ImageOrientationPatient = [-10, -20, 5 * place], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [2, 2], 5
    data.RescaleSlope, data.RescaleIntercept = 2, -1
    return _with_pixels(data, pixels)


def _with_pixels(data: Any, pixels: Any) -> Any:
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelData = pixels.tobytes()
    return data


def _lossless(data: bytes) -> Iterator[Seed]:
    """Pack an image as a lossless JPEG, which GDCM alone writes; nothing without it."""
    with suppress(ModuleNotFoundError):
        import gdcm

        with folder({"a": data}) as place:
            reader, packer, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
            reader.SetFileName(str(place / "a"))
            assert reader.Read()
            packer.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
            packer.SetInput(reader.GetImage())
            assert packer.Change()
            writer.SetFile(reader.GetFile())
            writer.SetImage(packer.GetOutput())
            writer.SetFileName(str(place / "b"))
            assert writer.Write()
            yield "lossless.dcm", (place / "b").read_bytes()


def _in(data: Any, syntax: Any) -> Any:
    data.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
        data["PixelData"].VR = "OW"
    return data


def _baseline(pixels: Any) -> Any:
    from pydicom.uid import JPEGBaseline8Bit

    return _by_pillow(pixels, JPEGBaseline8Bit, "JPEG", {})


def _wavelets(pixels: Any) -> Any:
    from pydicom.uid import JPEG2000Lossless

    return _by_pillow(pixels, JPEG2000Lossless, "JPEG2000", {"no_jp2": True, "irreversible": False})


def _by_pillow(pixels: Any, syntax: Any, kind: str, options: dict[str, Any]) -> Any:
    import PIL.Image
    from pydicom.encaps import encapsulate

    buffer, byte = io.BytesIO(), pixels.astype(np.uint8)
    PIL.Image.fromarray(byte).save(buffer, kind, **options)
    data = _with_pixels(_image(pixels, 2), byte)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate([buffer.getvalue()])
    data["PixelData"].is_undefined_length = True
    return data


def _enhanced(pixels: Any) -> Any:
    from pydicom.dataset import Dataset

    data = _with_pixels(_image(pixels[..., 0], 0), np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = _ENHANCED
    data.NumberOfFrames = pixels.shape[2]
    shared, measures, direction = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [2, 2], 5
    direction.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [direction]
    data.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for place in range(pixels.shape[2]):
        own, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-10, -20, 5 * place]
        own.PlanePositionSequence = [position]
        frames.append(own)
    data.PerFrameFunctionalGroupsSequence = frames
    return data


def _bytes(data: Any) -> bytes:
    import pydicom

    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def _changed(data: bytes, chance: Random) -> bytes:
    import pydicom
    from pydicom.config import IGNORE

    whole = pydicom.dcmread(io.BytesIO(data), force=True)
    holders = list(_holders(whole))
    for _ in range(chance.choice((1, 1, 2))):
        holder = chance.choice(holders)
        tags = [
            *holder.keys(),
            *(whole.file_meta.keys() if holder is whole and chance.random() < 0.1 else ()),
        ]
        tag = chance.choice(tags)
        if tag not in holder:
            holder = whole.file_meta
        if chance.random() < 0.1:
            del holder[tag]
            continue
        element = holder[tag]
        element.validation_mode = IGNORE
        element._value = _other(element.VR, element.value, chance)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, whole)
    return buffer.getvalue()


def _holders(data: Any) -> Iterator[Any]:
    yield data
    for element in data:
        if element.VR == "SQ":
            for item in islice(element.value, 40):
                yield from _holders(item)


def _other(form: str, value: Any, chance: Random) -> Any:
    """Return another value for an element of this form."""
    if form in ("US", "UL", "SS", "SL", "AT"):
        most = 2**16 if form in ("US", "SS") else 2**32
        one = chance.choice(NUMBERS) % most
        return one - most // 2 if form in ("SS", "SL") else one
    if form in ("DS", "IS"):
        one = chance.choice(
            (*map(str, FLOATS), *map(str, NUMBERS), "", "x", "9" * 40, "-1", "0.00001", "9" * 5000)
        )
        return one if chance.random() < 0.5 else _list_of(value, one, chance)
    if form in ("FD", "FL"):
        return chance.choice(FLOATS)
    if form == "SQ":
        items = list(value)
        return items * 2 if chance.random() < 0.5 else items[: len(items) // 2]
    if isinstance(value, bytes):
        return scramble(value, chance) if chance.random() < 0.7 else value[: chance.randrange(len(value) + 1)]
    return chance.choice(
        ("", "x", "1.2.3", "MR", "\\".join("ab"), "é" * 3, "A" * 300, "..\\..\\x", "IM0", "LOCALIZER")
    )


def _list_of(value: Any, one: str, chance: Random) -> list[str]:
    parts = (
        [str(part) for part in value]
        if not isinstance(value, str) and hasattr(value, "__iter__")
        else [str(value)]
    )
    parts[chance.randrange(len(parts))] = one
    return parts


TARGET = Target("dicom", seeds, change, run)
