"""One image of a DICOM file: where it lies in the patient, what it is, and why it may not be judged.

A classic file holds one, an enhanced file one for each of its frames. Nothing of it names the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """What the header says of one image.

    `number` counts the frames of an enhanced file from 0; None in a classic one.
    `series`, `instance`: its UIDs, never shown. `series_number` is what the scanner's console shows.
    `position` is the middle of the first pixel in mm (left, posterior, superior); `orientation` are the
    directions of rows and columns, six cosines; `spacing` is that of rows and columns in mm.
    `count` is how many frames its file has. `size` is rows, columns.
    `thickness` is the distance of slices in mm, where it is known.
    `slope` and `intercept` turn what is stored into values.
    `variants` are what may differ between images of one place: echo time, b-value, time and so on.
    `aside` says why a folder does not list it; `unusable` what was expected and came where it
    can be no MR slice at all.
    """

    path: Path
    number: int | None
    series: str = field(repr=False)
    instance: str = field(repr=False)
    series_number: int | None
    modality: str
    size: tuple[int, int]
    position: Vector | None
    orientation: Vector | None
    spacing: Vector | None
    thickness: float | None
    count: int
    slope: float
    intercept: float
    variants: tuple[float | str | None, ...]
    sequence: str | None
    scanner: str | None
    group: str | None
    aside: str | None
    unusable: tuple[str, str] | None
