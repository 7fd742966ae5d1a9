"""Reading one picture file (JPEG, PNG, TIFF, BMP, WebP) into a grey Scan or a mask."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image as Picture
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from atypia.errors import UnreadableScan
from atypia.reading.fetched import fetched
from atypia.reading.quiet import no_warnings
from atypia.remote import is_remote
from atypia.scan import LARGEST, Image, Mask, Scan

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
MAX_PIXELS = 100_000_000
ALWAYS_PIXELS, PIXELS_A_BYTE = 2**23, 16
"""Above so many pixels a file needs a byte for every 16, as real scans have, and bombs have not."""
MOST_SCANS = 64
"""Passes of a progressive JPEG; programs write about 10, and each may cost as much as the whole picture."""
MIN_SIDE = 16

_KINDS = "a JPEG, PNG, TIFF, BMP or WebP picture"

# The reader is chosen by the first bytes, never by the suffix, and called directly: Pillow's own `open` warns
# about large pictures by a limit that is global to the process.
_READERS: tuple[tuple[tuple[bytes, ...], type[ImageFile]], ...] = (
    ((b"\xff\xd8\xff",), JpegImageFile),
    ((b"\x89PNG\r\n\x1a\n",), PngImageFile),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
    ((b"BM",), BmpImageFile),
    ((b"RIFF",), WebPImageFile),
)

_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive (perhaps a NIfTI volume)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
    (b"<", "a web page or XML document"),
)

_LOSSY = (JpegImageFile, WebPImageFile)


def read_picture(
    path: Path,
    *,
    name: str | None = None,
    group: str | None = None,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
) -> Scan:
    """Read a picture as a grey Scan, upright by its EXIF orientation.

    Pixels are float32 (H, W) in the file's own units: 0 to 255 for 8 bits and for 1 bit, 0 to 65535 for 16
    bits, as they are for floats. Colours become luma by ITU-R BT.601 (16-bit colours at 8 bits), transparent
    pixels are laid on black, and of several pages or frames the first is read.
    Where `enough` pixels a side are, a JPEG of at least twice as many comes reduced by 2, 4 or 8, which is
    several times as fast.
    Raises UnreadableScan for whatever is no sound picture of at least 16x16 and at most `max_pixels` pixels;
    the size is checked before anything is decoded.
    """
    picture = _decode(path, max_pixels, enough)
    if min(picture.size) < MIN_SIDE:
        raise UnreadableScan(
            path, f"at least {MIN_SIDE}x{MIN_SIDE} pixels", f"{picture.width}x{picture.height} pixels"
        )
    return Scan(_grey(path, picture), name=name or path.name, path=path, group=group)


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a picture as a mask, bool (H, W): true above half of what its type can hold.

    A lossless file that stays below that half is taken for a map of labels (0, 1, 2...): true where not 0.
    Raises UnreadableScan as `read_picture` does.
    """
    picture = _decode(path, max_pixels)
    values = _grey(path, picture)
    half = _full_scale(picture, values) / 2
    if values.max() > half or isinstance(picture, _LOSSY):
        return values > half
    return values > 0


def _decode(path: Path, max_pixels: int, enough: int | None = None) -> ImageFile:
    remote = BytesIO(fetched(path, _KINDS)) if is_remote(path) else None
    if remote is None:
        check_regular(path, _KINDS)
    try:
        with remote or path.open("rb") as file:
            picture = open_picture(path, file)
            check_size(path, picture, file, max_pixels)
            if isinstance(picture, JpegImageFile):
                # The decoder then gives luma straight away, several times as fast.
                picture.draft("L", None if enough is None else (enough, enough))
            _load(picture)
            return picture
    except UnreadableScan:
        raise
    except Exception as error:  # damaged files draw almost any exception from the decoders
        raise UnreadableScan(path, "a whole picture", *reason(error)) from error


def check_regular(path: Path, expected: str) -> None:
    """Raise UnreadableScan, saying what was expected, where a path is no file that can be read."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UnreadableScan(path, expected, *reason(error)) from error
    if stat.S_ISDIR(mode):
        _demand_list(path)
        raise UnreadableScan(path, expected, "a folder")
    if not stat.S_ISREG(mode):
        raise UnreadableScan(path, expected, "something that is no file")


def _demand_list(folder: Path) -> None:
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        told = os.strerror(error.errno or 0).lower()
        raise UnreadableScan(
            folder, "a folder that can be listed", told, "Check who may read it, and how long its path is."
        ) from error


def reason(error: Exception) -> tuple[str, str]:
    """Return what was received, in words, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return "no such file", "Check the path, and --root where it comes from a table."
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower(), "Check that the file may be read."
    words = str(error).rstrip(".") or type(error).__name__
    return f"a damaged file ({words})", "Fetch or export the file again."


def open_picture(path: Path, file: BinaryIO) -> ImageFile:
    """Read the header alone; raise UnreadableScan where the file begins like no kind that is read."""
    head = file.read(132)
    file.seek(0)
    for starts, reader in _READERS:
        if head.startswith(starts):
            with no_warnings():
                # Without the name of the file, so that Pillow reads it rather than maps it: a file cut short
                # meanwhile must not end the process, and mapped TIFF files miss their orientation.
                return reader(file)
    raise UnreadableScan(path, _KINDS, _describe(head), "The suffix of a file does not change what it is.")


def _describe(head: bytes) -> str:
    """Say what a file seems to be by its first bytes."""
    if not head:
        return "an empty file"
    if head[128:] == b"DICM":
        return "a DICOM file"
    for start, words in _STRANGERS:
        if head.startswith(start):
            return words
    text = head[:24].decode("ascii", errors="replace")
    if text.replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable() and "\ufffd" not in text:
        return f"a text that begins {text!r}"
    return f"an unknown kind of file (first bytes {head[:8].hex(' ')})"


def check_size(path: Path, picture: ImageFile, file: BinaryIO, max_pixels: int = MAX_PIXELS) -> None:
    """Raise UnreadableScan for a picture that is too large by itself, or for its file; nothing is decoded."""
    width, height = picture.size
    size = os.fstat(file.fileno()).st_size if not isinstance(file, BytesIO) else file.getbuffer().nbytes
    most = min(max_pixels, max(ALWAYS_PIXELS, PIXELS_A_BYTE * size))
    if width * height > most:
        raise UnreadableScan(
            path,
            f"at most {most:,} pixels" + ("" if most == max_pixels else f" in {size:,} bytes"),
            f"{width}x{height} = {width * height:,} pixels",
            "Make the picture smaller: such a size is a damaged file, or one made to exhaust memory.",
        )
    if isinstance(picture, JpegImageFile):
        _check_scans(path, file)


def _check_scans(path: Path, file: BinaryIO) -> None:
    """Refuse a JPEG of very many passes; `file` stays where it is."""
    place = file.tell()
    file.seek(0)
    scans = sum(piece.count(b"\xff\xda") for piece in iter(lambda: file.read(2**20), b""))
    file.seek(place)
    if scans > MOST_SCANS:
        raise UnreadableScan(
            path,
            f"a JPEG of at most {MOST_SCANS} passes",
            f"one of {scans}",
            "Save it again: so many are a damaged file, or one made to take forever.",
        )


def _load(picture: ImageFile) -> None:
    """Decode the first page and turn it upright."""
    with no_warnings() if isinstance(picture, TiffImageFile) else nullcontext():
        picture.load()
    with no_warnings():
        ImageOps.exif_transpose(picture, in_place=True)


def _is_wide(picture: Picture) -> bool:
    """Tell whether the pixels are 16-bit, 32-bit or float, which Pillow cannot mix with colours."""
    return picture.mode.startswith(("I", "F"))


def _grey(path: Path, picture: ImageFile) -> Image:
    try:
        return _wide_grey(path, picture) if _is_wide(picture) else _narrow_grey(picture)
    except UnreadableScan:
        raise
    except Exception as error:  # as where the colours of a palette are missing
        raise UnreadableScan(path, "a whole picture", *reason(error)) from error


def _narrow_grey(picture: ImageFile) -> Image:
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("L"), np.float32)
    layered = picture.convert("LA" if picture.mode in ("1", "L", "LA") else "RGBA")
    alpha = np.asarray(layered.getchannel("A"), np.float32)
    return np.asarray(layered.convert("L"), np.float32) * (alpha / np.float32(255))


def _wide_grey(path: Path, picture: ImageFile) -> Image:
    values = np.asarray(picture).astype(np.float32)
    if _white_is_zero(picture):
        values = np.float32(65535) - values
    bad = values.size - int(np.count_nonzero((values > -LARGEST) & (values < LARGEST)))
    if bad:
        received = f"{bad} pixels that are NaN, infinite or beyond {LARGEST:g}"
        raise UnreadableScan(path, "finite pixel values", received)
    return values


def _white_is_zero(picture: ImageFile) -> bool:
    """Tell whether a 16-bit TIFF stores white as 0, which Pillow undoes for 8 bits only."""
    photometric = 262
    return (
        isinstance(picture, TiffImageFile) and picture.mode == "I;16" and picture.tag_v2.get(photometric) == 0
    )


def _full_scale(picture: ImageFile, values: Image) -> float:
    """Return the largest value of the file's type; for 32 bits and floats, the largest that there is."""
    if not _is_wide(picture):
        return 255.0
    return 65535.0 if picture.mode.startswith("I;16") else float(values.max())
