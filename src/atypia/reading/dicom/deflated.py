"""Deflated DICOM data sets, measured before pydicom unpacks all of one and parses all of its elements."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from atypia.errors import UnreadableScan

_DEFLATED, _LOOKED_AT = b"1.2.840.10008.1.2.1.99", 2**20
_ALWAYS_UNPACKED, _UNPACKED_A_BYTE = 2**26, 64
_ALWAYS_ELEMENTS, _BYTES_AN_ELEMENT = 200_000, 8
_ABOUT_FILE = 2
_HEADER = 8
_ITEM = b"\xfe\xff\x00\xe0"
_HINT = "Such a size is a damaged file, or one made to exhaust memory."
_MANY = "Such a number is a damaged file, or one made to take for ever."


def refuse_bomb(path: Path) -> None:
    """Raise UnreadableScan for a deflated data set that grows beyond measure, in bytes or in elements."""
    from pydicom.filereader import read_dataset, read_preamble

    with path.open("rb") as file:
        if _DEFLATED not in file.read(_LOOKED_AT):
            return
        file.seek(0)
        read_preamble(file, force=True)
        read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != _ABOUT_FILE)
        size = os.fstat(file.fileno()).st_size
        unpacked = _unpacked(path, file, max(_ALWAYS_UNPACKED, _UNPACKED_A_BYTE * size))
    _refuse_many(unpacked, _Budget(path, max(_ALWAYS_ELEMENTS, size // _BYTES_AN_ELEMENT)))


def _unpacked(path: Path, file: BinaryIO, most: int) -> bytes:
    """Return what the rest of a file unpacks to; raise UnreadableScan beyond so many bytes."""
    unpacking, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), BytesIO()
    for piece in iter(lambda: file.read(2**16), b""):
        while piece:
            unpacked.write(unpacking.decompress(piece, 2**20))
            if unpacked.tell() >= most:
                raise UnreadableScan(path, f"at most {most:,} bytes in a deflated data set", "more", _HINT)
            piece = unpacking.unconsumed_tail
    return unpacked.getvalue()


class _Budget:
    """What may still be read of headers: twice as many as elements, for values of that size look alike."""

    def __init__(self, path: Path, elements: int) -> None:
        self._path, self._elements, self._left = path, elements, 2 * elements

    def spend(self) -> None:
        """Spend one header; raise OSError where none is left, which pydicom may turn into another."""
        self._left -= 1
        if self._left < 0:
            raise OSError

    def demand_left(self) -> None:
        """Raise UnreadableScan where more was to be spent than there was."""
        if self._left < 0:
            expected = f"at most {self._elements:,} elements in a deflated data set"
            raise UnreadableScan(self._path, expected, "more", _MANY)


class _Counted(BytesIO):
    """Bytes of which each header that is read costs the budget."""

    def __init__(self, content: bytes, budget: _Budget) -> None:
        super().__init__(content)
        self._budget = budget

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does, at a cost."""
        if size is not None and 0 < size <= _HEADER:
            self._budget.spend()
        return super().read(size)


def _refuse_many(content: bytes, budget: _Budget) -> None:
    """Have pydicom parse all, also sequences that it would parse when asked; raise beyond the budget.

    That takes it some microseconds an element, however it is written, in whatever sequence.
    """
    from pydicom.dataelem import RawDataElement
    from pydicom.filereader import read_dataset, read_sequence

    waiting = _parsed(lambda: [read_dataset(_Counted(content, budget), False, True)], budget)
    while waiting:
        for element in waiting.pop().values():
            if not isinstance(element, RawDataElement):
                waiting += element.value if element.VR == "SQ" else ()
            elif isinstance(element.value, bytes) and element.value.startswith(_ITEM):
                inside = _Counted(element.value, budget), element.is_implicit_VR, True, len(element.value)
                waiting += _parsed(partial(read_sequence, *inside, "iso8859"), budget)


def _parsed(parse: Callable[[], Iterable[Any]], budget: _Budget) -> list[Any]:
    """Return what is parsed; nothing of what is damaged, of which others tell."""
    try:
        return list(parse())
    except Exception:  # damaged files draw almost any exception
        return []
    finally:
        budget.demand_left()
