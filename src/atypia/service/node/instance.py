"""What a received file is: its identifiers, and whether it is whole. No value of it is logged or quoted."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from atypia.reading.dicom.dataset import text
from atypia.reading.quiet import no_warnings
from atypia.service.node.outcome import Outcome, Refusal

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
SYNTAXES = (
    EXPLICIT,
    IMPLICIT,
    BIG,
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",  # JPEG-LS
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  # JPEG 2000
    "1.2.840.10008.1.2.4.91",
)
"""The transfer syntaxes that are taken; deflated ones are not, for they may grow without bound."""

_TAGS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "Rows"]
_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"}
_UNDEFINED = 0xFFFFFFFF
_LONGEST_UID = 64


@dataclass(frozen=True)
class Instance:
    """A whole DICOM file. `sha256` is that of its data set alone, whatever preamble the file has."""

    path: Path
    study_uid: str = field(repr=False)
    uid: str = field(repr=False)
    kind: str
    bytes: int
    sha256: str
    judged: bool
    """Whether it is an MR image with pixels; other objects are kept, and not scored."""


def examine(path: Path) -> Instance:
    """Read what a file is; raise Refusal where it is cut short, damaged, or in a syntax that is not taken."""
    size = path.stat().st_size
    with path.open("rb") as file:
        data, start = _header(file)
        syntax = text(data.file_meta, "TransferSyntaxUID")
        if syntax not in SYNTAXES:
            raise Refusal(Outcome.SYNTAX)
        pixels = _pixels(file, size, implicit=syntax == IMPLICIT, order=">" if syntax == BIG else "<")
        study, uid, kind = (
            text(data, name) for name in ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID")
        )
        if not all(0 < len(one) <= _LONGEST_UID for one in (study, uid, kind)):
            raise Refusal(Outcome.UNREADABLE)
        file.seek(start)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    judged = pixels and "Rows" in data and text(data, "Modality") == "MR"
    return Instance(path, study, uid, kind, bytes=size, sha256=digest, judged=judged)


def _header(file: BinaryIO) -> tuple[Any, int]:
    """Return the elements before the pixels, and where the data set begins; the file stands at the pixels."""
    import pydicom
    from pydicom.filereader import read_file_meta_info

    try:
        with no_warnings():
            data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
            end = file.tell()
            meta = read_file_meta_info(Path(file.name))
            length = int(meta.FileMetaInformationGroupLength)
    except Exception:  # damaged files draw almost any exception, in words that may quote the header
        raise Refusal(Outcome.UNREADABLE) from None
    file.seek(end)
    return data, 128 + 4 + 12 + length


def _pixels(file: BinaryIO, size: int, *, implicit: bool, order: str) -> bool:
    """Tell whether pixels follow; raise Refusal where they, or what stands before them, are not all there."""
    here = file.tell()
    if here == size:
        return False
    head = file.read(12)
    if here > size or len(head) < 8:
        raise Refusal(Outcome.UNREADABLE)
    group, element = struct.unpack(f"{order}HH", head[:4])
    if (group << 16 | element) not in _PIXELS:
        raise Refusal(Outcome.UNREADABLE)
    if implicit:
        (length,), start = struct.unpack(f"{order}L", head[4:8]), here + 8
    elif head[4:6] in _LONG and len(head) == 12:
        (length,), start = struct.unpack(f"{order}L", head[8:12]), here + 12
    else:
        raise Refusal(Outcome.UNREADABLE)
    whole = _items_end(file, start, size) if length == _UNDEFINED else start + length <= size
    if not whole:
        raise Refusal(Outcome.UNREADABLE)
    return True


def _items_end(file: BinaryIO, place: int, size: int) -> bool:
    """Tell whether the items of encapsulated pixels are all there, up to their delimiter (PS3.5 A.4)."""
    while place + 8 <= size:
        file.seek(place)
        group, element, length = struct.unpack("<HHL", file.read(8))
        tag = group << 16 | element
        if tag == _END:
            return True
        if tag != _ITEM:
            return False
        place += 8 + length
    return False
