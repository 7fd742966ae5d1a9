"""Which decoder may see compressed pixels, and what is made sure of before it does.

Decoders go by the size that a stream says of itself: a few bytes may keep one busy for minutes. And GDCM ends
the whole process where a stream contradicts the header; so it is used for lossless JPEG alone, which nothing
else decodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from atypia.reading.picture import MOST_SCANS


@dataclass(frozen=True)
class _Told:
    """What a stream says of itself; `process` is the marker of a JPEG's frame."""

    process: int
    precision: int
    rows: int
    columns: int
    samples: int


_PREFIX = "1.2.840.10008.1.2.4."
_BASELINE, _LOSSLESS, _LS, _WAVELETS = ("50", "51"), ("57", "70"), ("80", "81"), ("90", "91")
_BY = dict.fromkeys((*_BASELINE, *_WAVELETS), "pillow") | dict.fromkeys(_LS, "pyjpegls")
_START, _SCAN = b"\xff\xd8", b"\xff\xda"
_LOSSLESS_FRAME = 0xC3
_WAVELETS_START = b"\xff\x4f\xff\x51"
# Starts of a frame (ITU-T T.81, table B.1, and T.87): all processes, for decoders go by any that they meet.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


def prepare_decoder(data: Any, syntax: str) -> None:
    """Tell a pydicom data set by which package its pixels are decoded.

    Raises ValueError where compressed pixels are not what the header says.
    """
    from pydicom.encaps import generate_frames

    kind = syntax.removeprefix(_PREFIX)
    if kind in _BY:
        data.pixel_array_options(decoding_plugin=_BY[kind])
    if kind not in (*_BY, *_LOSSLESS):
        return
    read: Callable[[bytes], _Told] = _of_wavelets if kind in _WAVELETS else _of_jpeg
    for frame in generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1)):
        told = read(frame)
        if (told.rows, told.columns, told.samples) != (data.Rows, data.Columns, data.SamplesPerPixel):
            raise ValueError("a stream of another size than the header says")
        if kind in _LOSSLESS:
            _check_lossless(told, data)


def _check_lossless(told: _Told, data: Any) -> None:
    allocated = int(data.BitsAllocated)
    fits = allocated in (8, 16) and allocated - 8 < told.precision <= allocated
    if told.process != _LOSSLESS_FRAME or not fits or data.BitsStored > told.precision or told.samples != 1:
        raise ValueError("a stream of other bits than the header says")


def _of_jpeg(stream: bytes) -> _Told:
    """Read the start of the frame of a JPEG or JPEG-LS stream; raise ValueError without one, or with two."""
    if not stream.startswith(_START) or stream.count(_SCAN) > MOST_SCANS:
        raise ValueError("no JPEG stream")
    found, place = list[_Told](), len(_START)
    while place + 10 <= len(stream) and stream[place] == 0xFF and stream[place + 1] != _SCAN[1]:
        (length,) = struct.unpack(">H", stream[place + 2 : place + 4])
        if stream[place + 1] in _FRAMES:
            found.append(_Told(stream[place + 1], *struct.unpack(">BHHB", stream[place + 4 : place + 10])))
        place += 2 + length
    if len(found) != 1:
        raise ValueError("a JPEG stream without one size")
    return found[0]


def _of_wavelets(stream: bytes) -> _Told:
    """Read the size of a JPEG 2000 codestream (ITU-T T.800, A.5.1), which some put into a JP2 file."""
    place = stream.find(_WAVELETS_START)
    if place < 0 or stream.count(_WAVELETS_START) != 1 or len(stream) < place + 43:
        raise ValueError("no JPEG 2000 stream")
    right, lower, left, upper = struct.unpack(">4I", stream[place + 8 : place + 24])
    samples, precision = struct.unpack(">HB", stream[place + 40 : place + 43])
    return _Told(0, (precision & 0x7F) + 1, lower - upper, right - left, samples)
