"""Features of a frozen encoder, computed once and kept on disk: keyed by content, float16, bounded."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import atomic
from atypia.cache import cache_limit
from atypia.encoders.base import Encoder
from atypia.errors import OutputError
from atypia.scan import Image

TRIM_TO = 0.8
TRIM_EVERY = 512
_SUM_BYTES = 4

Features = NDArray[np.float16]


@final
class FeatureCache:
    """Files `folder/ENCODER/XX/CONTENT.npy`, one for each scan, each all cuts of it in a row, float16.

    After the values stands their CRC-32: a file of which a bit changed on the disk is made anew.

    `limit` bounds the folder in bytes, None as `cache_limit` says: where it is passed, the files used longest
    ago go first.
    Files appear whole or not at all, so that two processes may share a folder.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder, self.limit = folder, cache_limit() if limit is None else limit
        self._written = 0

    def features(self, encoder: Encoder, pixels: Image, keys: list[str]) -> list[Features]:
        """Return the features (N, h, w, C) of prepared pixels (N, S, S), one array for each cut.

        `keys` name the content of each scan (see `content_key`). What is missing or damaged is computed and
        kept; raises OutputError where there is no room for it.
        """
        size = pixels.shape[-1]
        shapes = [(size // s, size // s, c) for s, c in zip(encoder.strides, encoder.channels, strict=True)]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        rows = np.empty((len(pixels), int(ends[-1])), np.float16)
        paths = [self.folder / encoder.fingerprint[:16] / key[:2] / f"{key}.npy" for key in keys]
        missing = [i for i, path in enumerate(paths) if not _load(path, rows[i])]
        if missing:
            maps = [m.reshape(len(missing), -1) for m in encoder(pixels[missing])]
            rows[missing] = _half(np.concatenate(maps, axis=1))
            for i in missing:
                self._store(paths[i], rows[i])
        parts = np.split(rows, ends[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]

    def _store(self, path: Path, row: Features) -> None:
        try:
            with atomic(path) as temporary, temporary.open("wb") as file:
                np.lib.format.write_array(file, row, allow_pickle=False)
                file.write(_sum(row))
        except OutputError as error:
            raise OutputError(
                f"{error} The environment variable ATYPIA_CACHE names another folder for what is cached."
            ) from error
        # Also after the first, or many small fits would never trim.
        if self._written % TRIM_EVERY == 0:
            self.trim()
        self._written += 1

    def trim(self) -> None:
        """Delete the files used longest ago until the folder is well under its limit."""
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.rglob("*.*"):  # what a killed process left half written as well
            try:
                stat = path.stat()
            except OSError:
                continue
            files.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        for _, size, path in sorted(files, key=lambda item: item[0]):
            with suppress(OSError):  # it is gone, or another process reads it where such stays
                path.unlink()
            total -= size
            if total <= TRIM_TO * self.limit:
                return


def content_key(pixels: Image, foreground: NDArray[np.bool_]) -> str:
    """Name one prepared scan by its content."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels, dtype=np.float32).tobytes())
    digest.update(np.packbits(foreground).tobytes())
    return digest.hexdigest()


def _load(path: Path, row: Features) -> bool:
    """Read a file into `row`; tell whether it was there and whole."""
    try:
        with path.open("rb") as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
            told = file.read(_SUM_BYTES)
    except Exception:  # damaged files draw almost any exception, also for want of memory
        return False
    if found.dtype != np.float16 or found.shape != row.shape or told != _sum(found):
        return False
    row[:] = found
    return True


def _sum(row: Features) -> bytes:
    return zlib.crc32(np.ascontiguousarray(row).data).to_bytes(_SUM_BYTES, "little")


def _half(values: NDArray[np.float32]) -> Features:
    """Return float16, what it cannot hold being cut to its largest value."""
    most = float(np.finfo(np.float16).max)
    return np.clip(values, -most, most).astype(np.float16)
