"""Opening a DICOM file, and asking its header for values that may be missing or malformed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from atypia.errors import UnreadableScan
from atypia.reading.dicom.deflated import refuse_bomb
from atypia.reading.nifti import is_nifti
from atypia.reading.picture import PICTURE_SUFFIXES, check_regular
from atypia.reading.quiet import no_warnings

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_MAGIC, _MAGIC_AT = b"DICM", 128
_KIND = "a DICOM file"
FINITE, FARTHEST = sys.float_info.max, 1e30
"""All numbers, and places and sizes in mm, three of which may still be multiplied."""
AGAIN = "Fetch or export the file again."


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: by its suffix (.dcm, .dicom, .ima), else by its first bytes.

    What has the suffix of a picture or of NIfTI is not opened.
    """
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    if path.suffix.lower() in PICTURE_SUFFIXES or is_nifti(path):
        return False
    try:
        if not path.is_file():  # opening what is none, as a pipe, may wait for ever
            return False
        with path.open("rb") as file:
            return file.read(_MAGIC_AT + len(_MAGIC)).endswith(_MAGIC)
    except (OSError, ValueError):
        return False


def open_dataset(path: Path, *, pixels: bool) -> Any:
    """Read a file's elements, with those of its pixels or without; a pydicom Dataset.

    Raises UnreadableScan in words of our own: those of pydicom may quote a value that names the patient.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    check_regular(path, _KIND)
    try:
        with no_warnings():
            refuse_bomb(path)
            data = pydicom.dcmread(os.fspath(path), stop_before_pixels=not pixels, force=not _has_magic(path))
            # A DICOMDIR says what it is in the information about the file alone.
            if "SOPClassUID" not in data and "MediaStorageSOPClassUID" not in data.file_meta:
                raise InvalidDicomError("no object")
            return data
    except UnreadableScan:
        raise
    except FileNotFoundError as error:
        raise UnreadableScan(path, _KIND, "no such file", "Check the path.") from error
    except InvalidDicomError as error:
        raise UnreadableScan(path, _KIND, "a file of another kind", AGAIN) from error
    except OSError as error:
        if error.errno is None:
            raise _damaged(path) from None
        words = os.strerror(error.errno).lower()
        raise UnreadableScan(path, _KIND, words, "Check that the file may be read.") from error
    except Exception:  # damaged files draw almost any exception
        raise _damaged(path) from None


def _has_magic(path: Path) -> bool:
    """Tell whether the file has a preamble; old ones of a DICOM suffix have none, and are still read."""
    with path.open("rb") as file:
        magic = file.read(_MAGIC_AT + len(_MAGIC)).endswith(_MAGIC)
    return magic or path.suffix.lower() not in DICOM_SUFFIXES


def _damaged(path: Path) -> UnreadableScan:
    return UnreadableScan(path, "a whole DICOM file", "a damaged header", AGAIN)


def text(data: Any, name: str) -> str:
    """Return an element as text, several values joined by a backslash; empty where missing or malformed."""
    value = _value(data, name)
    if value is None:
        return ""
    parts = list(value) if _is_list(value) else [value]
    if any(
        hasattr(part, "walk") for part in parts
    ):  # data sets, in a header that says so where a text should be
        return ""
    return "\\".join(map(str, parts))


def numbers(data: Any, name: str, count: int, most: float = FINITE) -> tuple[float, ...] | None:
    """Return an element of so many finite numbers, none beyond `most`; None where it is anything else."""
    value = _value(data, name)
    try:
        found = tuple(float(one) for one in (value if _is_list(value) else [value]))
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count and all(abs(one) <= most for one in found) else None


def number(data: Any, name: str, most: float = FINITE) -> float | None:
    """Return an element's one finite number, none beyond `most`, or None."""
    found = numbers(data, name, 1, most)
    return found[0] if found else None


def part(data: Any, name: str) -> Any:
    """Return the first item of a sequence, or None."""
    value = _value(data, name)
    try:
        return value[0] if value is not None and len(value) else None
    except (TypeError, IndexError):
        return None


def _value(data: Any, name: str) -> Any:
    """Return an element's value; None where it is missing, empty, or not what its type says."""
    if data is None:
        return None
    try:
        with no_warnings():
            return data.get(name)
    except Exception:  # values are parsed when they are asked for
        return None


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)
