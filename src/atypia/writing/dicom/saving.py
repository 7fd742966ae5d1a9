"""Making a DICOM object with highdicom and writing it whole, with every failure told in words of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from atypia.atomic import atomic
from atypia.errors import MissingExtra, UnreadableScan
from atypia.reading.quiet import no_warnings


def demand_highdicom() -> None:
    """Raise MissingExtra where highdicom is not installed."""
    from importlib.util import find_spec

    if find_spec("highdicom") is None:
        raise MissingExtra("Writing DICOM results", "dicom")


def save(make: Callable[[], Any], path: Path, *, series: Path) -> Path:
    """Make an object, write it to `path` and return that.

    Raises UnreadableScan about the `series` where its header cannot be taken over, without quoting it, and
    OutputError where the file cannot be written.
    """
    import pydicom

    try:
        with no_warnings():
            made = make()
            with atomic(path) as temporary:
                pydicom.dcmwrite(temporary, made, enforce_file_format=True)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, UnicodeError):
        raise UnreadableScan(
            series,
            "a series that DICOM results can refer to",
            "a header that is incomplete or not as the standard has it",
            "Its other results are written. Export it from the archive again.",
        ) from None
    return path
