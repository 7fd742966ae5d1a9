"""Decoding the pixels of DICOM images into values, where the header does not promise too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import AGAIN, number, open_dataset, text
from atypia.reading.dicom.decoders import prepare_decoder
from atypia.reading.dicom.frame import Frame
from atypia.reading.nifti import ALWAYS_VOXELS, MAX_VOXELS, VOXELS_A_BYTE
from atypia.reading.picture import ALWAYS_PIXELS, PIXELS_A_BYTE
from atypia.reading.quiet import no_warnings
from atypia.scan import LARGEST, Image


def read_images(frames: Sequence[Frame], max_voxels: int = MAX_VOXELS) -> Iterator[Image]:
    """Yield the values of images in order, float32 (rows, columns); a file is read once for all its frames.

    Stored values of MONOCHROME1 are turned round, so that more is brighter; then slope and intercept are
    applied. Padding becomes the least of the other values. No window is applied: it is for the eye.
    Raises UnreadableScan where pixels are missing, cut short, or cannot be decoded.
    """
    for path, group in groupby(frames, key=lambda frame: frame.path):
        ours = list(group)
        check_size(ours[0], ours[0].count, max_voxels)
        _check_packing(ours[0])
        data = open_dataset(path, pixels=True)
        whole = _range(path, data) if "PixelData" in data else None
        stored = _decode(path, data, whole)
        for frame in ours:
            many = frame.number is not None and stored.ndim == 3
            image = stored[frame.number] if many else stored
            if image.shape != frame.size:
                expected, received = _by(frame.size), _by(image.shape)
                raise UnreadableScan(path, f"an image of {expected}", f"one of {received}", AGAIN)
            yield _values(path, data, image, frame, whole)


def check_size(first: Frame, depth: int, max_voxels: int) -> None:
    """Raise UnreadableScan where so many images of this size are none, or more than may be decoded."""
    rows, columns = first.size
    voxels = rows * columns * depth
    if voxels < 1:
        raise UnreadableScan(first.path, "an image of at least one pixel", f"one of {rows}x{columns}", AGAIN)
    if voxels > max_voxels:
        raise UnreadableScan(
            first.path,
            f"at most {max_voxels:,} voxels",
            f"a header that tells of {columns}x{rows}x{depth} = {voxels:,}",
            "Such a size is a damaged file, or one made to exhaust memory.",
        )


def _check_packing(first: Frame) -> None:
    """Raise UnreadableScan where a header tells of far more pixels than its file can hold."""
    try:
        size = first.path.stat().st_size
    except OSError:
        return  # opening it gives the reason
    rows, columns = first.size
    image, every = rows * columns, rows * columns * first.count
    if image > max(ALWAYS_PIXELS, PIXELS_A_BYTE * size) or every > max(ALWAYS_VOXELS, VOXELS_A_BYTE * size):
        raise UnreadableScan(
            first.path,
            f"as many pixels as {size:,} bytes can hold",
            f"a header that tells of {columns}x{rows}x{first.count} = {every:,}",
            "Such a size is a damaged file, or one made to exhaust memory.",
        )


def _decode(path: Path, data: Any, whole: tuple[int, int] | None) -> NDArray[Any]:
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableScan(path, "an image", "a header without pixels", AGAIN)
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    try:
        with no_warnings():
            if whole is not None:
                _keep_unused_bits(data, whole[0])
            if syntax is not None and syntax.is_compressed:
                prepare_decoder(data, str(syntax))
            return np.asarray(data.pixel_array)
    except MemoryError:
        raise
    except Exception as error:  # damaged files draw almost any exception, in words that may quote the header
        if _is_packed(syntax) and _lacks_decoder(error):
            name = getattr(syntax, "name", "unknown")
            raise UnreadableScan(
                path,
                "pixels in a form that can be decoded",
                f"the transfer syntax {name}",
                'Install decoders with: pip install "atypia[dicom]", or export the series uncompressed.',
            ) from None
        raise UnreadableScan(
            path, "whole pixels", "some that are cut short, damaged or not as the header says", AGAIN
        ) from None


def _is_packed(syntax: Any) -> bool:
    """Tell whether a transfer syntax packs pixels; one that is none, as damage makes it, does not."""
    return syntax is not None and syntax.is_transfer_syntax and bool(syntax.is_compressed)


def _lacks_decoder(error: Exception) -> bool:
    return isinstance(error, NotImplementedError) or "missing dependencies" in str(error)


def _values(
    path: Path, data: Any, stored: NDArray[Any], frame: Frame, whole: tuple[int, int] | None
) -> Image:
    if whole is None:
        return _finite(path, stored.astype(np.float32))
    _check_range(path, whole, stored)
    padding = number(data, "PixelPaddingValue")
    padded = None if padding is None else stored == padding
    values = stored.astype(np.float32)
    if text(data, "PhotometricInterpretation") == "MONOCHROME1":
        values = np.float32(sum(whole)) - values
    with np.errstate(over="ignore", invalid="ignore"):
        values = values * np.float32(frame.slope) + np.float32(frame.intercept)
    if padded is not None and padded.any() and not padded.all():
        values[padded] = values[~padded].min()
    return _finite(path, values)


def _check_range(path: Path, span: tuple[int, int], stored: NDArray[Any]) -> None:
    lowest, highest = span
    if stored.min() < lowest or stored.max() > highest:
        raise UnreadableScan(
            path,
            f"pixels from {lowest} to {highest} by the number of their bits",
            f"some from {stored.min()} to {stored.max()}",
            "The header contradicts the pixels: export the series again.",
        )


def _range(path: Path, data: Any) -> tuple[int, int]:
    """Return the least and the greatest value that the header allows."""
    allocated, bits = number(data, "BitsAllocated"), number(data, "BitsStored")
    if bits is None or allocated is None or not 1 <= bits <= allocated <= 64:
        raise UnreadableScan(
            path,
            "a number of bits stored from 1 to those allocated",
            f"{_plain(bits)} bits stored of {_plain(allocated)}",
            AGAIN,
        )
    if number(data, "PixelRepresentation") == 1:
        return -(2 ** int(bits - 1)), 2 ** int(bits - 1) - 1
    return 0, 2 ** int(bits) - 1


def _keep_unused_bits(data: Any, lowest: int) -> None:
    """Make pydicom show the bits above those stored, which tell of a wrong header, unless they are in use.

    Signed values need not extend into them, and old files keep their overlays there.
    """
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    overlaid = any(
        (group, 0x0102) in data and data[group, 0x0102].value for group in range(0x6000, 0x6020, 2)
    )
    if lowest == 0 and not overlaid and not _is_packed(syntax):
        data.BitsStored = data.BitsAllocated
        data.HighBit = data.BitsAllocated - 1


def _finite(path: Path, values: Image) -> Image:
    if not -LARGEST < values.min() <= values.max() < LARGEST:  # nor for what is no number
        raise UnreadableScan(path, "finite pixel values", "some that are NaN or infinite", AGAIN)
    return values


def _by(size: tuple[int, ...]) -> str:
    return "x".join(map(str, size))


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
