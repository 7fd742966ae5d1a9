"""What the header of a picture's file says, and how coloured the picture is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from atypia.errors import UnreadableScan
from atypia.reading.picture import check_regular, check_size, open_picture

_COLOUR_SIDE = 64


@dataclass(frozen=True)
class Header:
    """`kind` is JPEG, PNG, TIFF, BMP or WEBP; `mode` is Pillow's, of the pixels as they are stored.

    `tables` are the quantisation tables of a JPEG, 64 numbers each, luma first; empty for other kinds.
    `colourfulness` is the mean difference of the largest and smallest of red, green and blue, in [0, 1].
    """

    kind: str
    mode: str
    tables: tuple[tuple[int, ...], ...]
    colourfulness: float


def read_header(path: Path) -> Header:
    """Read the header of a picture that `read_picture` accepts; of a JPEG, a reduced picture at most.

    Raises UnreadableScan for whatever is no sound picture.
    """
    check_regular(path, "a picture")
    try:
        with path.open("rb") as file:
            picture = open_picture(path, file)
            check_size(path, picture, file)
            mode = picture.mode
            return Header(
                str(picture.format), mode, _tables(picture), _colourfulness(picture) if _may(mode) else 0.0
            )
    except UnreadableScan:
        raise
    except Exception as error:  # damaged files draw almost any exception from the decoders
        raise UnreadableScan(path, "a whole picture", f"a damaged file ({error})") from error


def _may(mode: str) -> bool:
    """Tell whether pixels of this mode can have a colour."""
    return mode in ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def _tables(picture: ImageFile) -> tuple[tuple[int, ...], ...]:
    if not isinstance(picture, JpegImageFile):
        return ()
    return tuple(tuple(table) for _, table in sorted(picture.quantization.items()))


def _colourfulness(picture: ImageFile) -> float:
    if isinstance(picture, JpegImageFile):
        picture.draft("RGB", (_COLOUR_SIDE, _COLOUR_SIDE))  # at an eighth of the size, where that will do
    step = max(1, min(picture.size) // _COLOUR_SIDE)
    colours = np.asarray(picture.convert("RGB"), np.int16)[::step, ::step]
    return float((colours.max(axis=2) - colours.min(axis=2)).mean() / 255)
