"""What is kept of each picture: a thumbnail, in two sizes, and a digest of its pixels."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.atomic import not_written
from atypia.errors import UnreadableScan
from atypia.in_order import in_order
from atypia.progress import progress
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.scan import Image

SIDE = 128
SMALL = SIDE // 2
AHEAD = 64
# JPEG pictures with sides from twice this come out of the decoder reduced by 2, 4 or 8, and sooner.
ENOUGH = 512
# Less contrast, in whatever unit, is lost where it is divided by.
_LEAST = 1e-30

Thumbnail = NDArray[np.uint8]


class ThumbnailFile:
    """Thumbnails uint8 (SIDE, SIDE) in a temporary file: 16 KiB a picture on disk, and none in memory."""

    def __init__(self) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()

    def write(self, place: int, thumbnail: Thumbnail) -> None:
        """Keep a thumbnail at its place; a place that was never written must not be read.

        Raises OutputError where there is no room.
        """
        try:
            self._file.seek(place * SIDE * SIDE)
            self._file.write(thumbnail.tobytes())
        except OSError as error:
            raise not_written(Path(tempfile.gettempdir()), error) from error

    def read(self, places: NDArray[np.integer]) -> Thumbnail:
        """Return the thumbnails (N, SIDE, SIDE) at these places."""
        found = np.empty((len(places), SIDE, SIDE), np.uint8)
        with self._lock:
            for index, place in enumerate(places.tolist()):
                self._file.seek(place * SIDE * SIDE)
                found[index] = np.frombuffer(self._file.read(SIDE * SIDE), np.uint8).reshape(SIDE, SIDE)
        return found

    def close(self) -> None:
        """Give the room on disk back."""
        with suppress(OSError):  # of a disk that was full, which was told of
            self._file.close()


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """The whole pictures made small, each stretched to 0..255, and what else is known of them.

    `small` is uint8 (N, SMALL, SMALL), in memory; `large` has them twice as large, on disk. `digests` are
    equal where the grey pixels are, and empty where a picture could not be read; `flat` says where a picture
    has one grey only, or could not be read. `errors` are the unreadable ones' places and words.
    """

    small: Thumbnail
    large: ThumbnailFile
    flat: NDArray[np.bool_]
    digests: tuple[bytes, ...]
    errors: tuple[tuple[int, str], ...]


def read_thumbnails(rows: Sequence[Row], *, workers: int = 2) -> Thumbnails:
    """Read every picture once, in threads, with a bar on a terminal; memory grows by 4 KiB a picture."""
    large = ThumbnailFile()
    try:
        return _read_to(large, rows, workers)
    except BaseException:
        large.close()
        raise


def _read_to(large: ThumbnailFile, rows: Sequence[Row], workers: int) -> Thumbnails:
    small = np.zeros((len(rows), SMALL, SMALL), np.uint8)
    flat = np.ones(len(rows), bool)
    digests: list[bytes] = []
    errors: list[tuple[int, str]] = []
    read = in_order(_read, rows, workers=workers, ahead=AHEAD)
    for place, found in enumerate(progress(read, total=len(rows), label="looking for copies")):
        if isinstance(found, UnreadableScan):
            errors.append((place, found.brief))
            digests.append(b"")
            continue
        thumbnail, digest = found
        digests.append(digest)
        if thumbnail is not None:
            large.write(place, thumbnail)
            small[place], flat[place] = halved(thumbnail), False
    return Thumbnails(small, large, flat, tuple(digests), tuple(errors))


Read = tuple[Thumbnail | None, bytes] | UnreadableScan


def _read(row: Row) -> Read:
    try:
        pixels = read_row(row, enough=ENOUGH).pixels
    except UnreadableScan as error:
        return error
    digest = blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return shrink(pixels), digest.digest()


def shrink(pixels: Image) -> Thumbnail | None:
    """Return a picture (H, W) as uint8 (SIDE, SIDE), its range stretched to 0..255; None where it is flat."""
    down, across = (max(1, side // (2 * SIDE)) for side in pixels.shape)
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.float32)).reduce((across, down))
    small = np.asarray(picture.resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR), np.float32)
    low, high = float(small.min()), float(small.max())
    if not high - low > max(1e-5 * max(abs(low), abs(high)), _LEAST):
        return None
    return np.round((small - low) * (255 / (high - low))).astype(np.uint8)


def halved(thumbnail: Thumbnail) -> Thumbnail:
    """Return a thumbnail of half the side."""
    sums = thumbnail.reshape(SMALL, 2, SMALL, 2).sum((1, 3), dtype=np.uint16)
    return np.asarray((sums + 2) // 4, np.uint8)
