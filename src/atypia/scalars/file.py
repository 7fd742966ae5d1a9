"""Scalars of the file: they need no look at the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atypia.reading.header import Header

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_GREY, _PALETTE, _COLOURS, _TRANSPARENT, _WIDE = range(5)

# ITU-T T.81 (1992), annex K, table K.1, for luma, in rows. Pillow gives tables in this order.
_LUMA = np.fromstring(
    """
    16 11 10 16  24  40  51  61   12 12 14 19  26  58  60  55   14 13 16 24  40  57  69  56
    14 17 22 29  51  87  80  62   18 22 37 56  68 109 103  77   24 35 55 64  81 104 113  92
    49 64 78 87 103 121 120 101   72 92 95 98 112 100 103  99
    """,
    np.float64,
    sep=" ",
)


def file_scalars(path: Path, shape: tuple[int, ...], header: Header) -> dict[str, float]:
    """Return the scalars of the group `file`; the JPEG quality of another kind of file is NaN."""
    height, width = shape
    return {
        "bytes_per_pixel": path.stat().st_size / (height * width),
        **size_scalars(shape),
        "jpeg_quality": jpeg_quality(header.tables[0]) if header.tables else math.nan,
        "file_format": float(_FORMATS.index(header.kind)) if header.kind in _FORMATS else math.nan,
        "file_suffix": float(_suffix(path)),
        "colour_mode": float(_mode(header.mode)),
        "colourfulness": header.colourfulness,
    }


def size_scalars(shape: tuple[int, ...]) -> dict[str, float]:
    """Return those of the group `file` that a slice (H, W) has without a file of its own."""
    height, width = shape
    return {
        "width": float(width),
        "height": float(height),
        "pixel_count": float(height * width),
        "aspect": width / height,
    }


def jpeg_quality(table: Sequence[int]) -> float:
    """Return the quality, 1 to 100, whose scaling of the standard luma table is nearest to this one.

    The Independent JPEG Group's encoder multiplies the standard table by 50 / q below quality 50 and by
    2 - q / 50 from there on; this undoes it with the mean ratio. Other tables get the quality that quantises
    about as coarsely.

    >>> round(jpeg_quality([1] * 64)), round(jpeg_quality(_LUMA.astype(int)))
    (100, 50)
    """
    values = np.asarray(table, np.float64)
    free = (values > 1) & (values < 255)  # values beyond are cut to these
    if not free.any():
        return 100.0 if (values <= 1).mean() > 0.5 else 1.0
    scale = float(values[free].sum() / _LUMA[free].sum())
    quality = 100 - 50 * scale if scale <= 1 else 50 / scale
    return min(max(quality, 1.0), 100.0)


def _suffix(path: Path) -> int:
    suffix = path.suffix.lower()
    return _SUFFIXES.index(suffix) if suffix in _SUFFIXES else len(_SUFFIXES)


def _mode(mode: str) -> int:
    if mode in ("1", "L"):
        return _GREY
    if mode == "P":
        return _PALETTE
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _TRANSPARENT
    return _WIDE if mode[:1] in ("I", "F") else _COLOURS
