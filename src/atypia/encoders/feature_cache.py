"""Features of a frozen encoder, computed once and kept on disk: keyed by content, float16, bounded."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.encoders.base import Encoder
from atypia.errors import OutputError
from atypia.scan import Image

LIMIT = 8 * 2**30
TRIM_TO = 0.8
TRIM_EVERY = 512


@final
class FeatureCache:
    """Files `folder/ENCODER/XX/CONTENT.npy`, one for each scan, each all cuts of it in a row, float16.

    `limit` bounds the folder in bytes: where it is passed, the files used longest ago go first.
    Files appear whole or not at all, so that two processes may share a folder.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._written = 0

    def features(self, encoder: Encoder, pixels: Image, keys: list[str]) -> list[NDArray[np.float16]]:
        """Return the features (N, h, w, C) of prepared pixels (N, S, S), one array for each cut.

        `keys` name the content of each scan (see `content_key`). What is missing is computed and kept.
        """
        paths = [self.folder / encoder.fingerprint[:16] / key[:2] / f"{key}.npy" for key in keys]
        rows = [self._load(path) for path in paths]
        missing = [i for i, row in enumerate(rows) if row is None]
        if missing:
            computed = encoder(pixels[missing])
            for place, i in enumerate(missing):
                rows[i] = np.concatenate([c[place].ravel() for c in computed]).astype(np.float16)
                self._store(paths[i], rows[i])
        return self._unpack(encoder, np.stack([row for row in rows if row is not None]), pixels.shape[-1])

    def _unpack(self, encoder: Encoder, rows: NDArray[np.float16], size: int) -> list[NDArray[np.float16]]:
        shapes = [(size // s, size // s, c) for s, c in zip(encoder.strides, encoder.channels, strict=True)]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        parts = np.split(rows, ends[:-1], axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]

    def _load(self, path: Path) -> NDArray[np.float16] | None:
        try:
            row = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return row if row.dtype == np.float16 and row.ndim == 1 else None

    def _store(self, path: Path, row: NDArray[np.float16] | None) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
                np.save(file, row)
            Path(file.name).replace(path)
        except OSError as error:
            raise OutputError(
                f"{path}: a feature could not be cached ({error}). Free some space, or name another "
                "folder by the environment variable ATYPIA_CACHE."
            ) from error
        self._written += 1
        if self._written % TRIM_EVERY == 0:
            self.trim()

    def trim(self) -> None:
        """Delete the files used longest ago until the folder is well under its limit."""
        files = []
        for path in self.folder.rglob("*.npy"):
            try:
                stat = os.stat(path)
            except FileNotFoundError:
                continue
            files.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        for _, size, path in sorted(files, key=lambda item: item[0]):
            path.unlink(missing_ok=True)
            total -= size
            if total <= TRIM_TO * self.limit:
                return


def content_key(pixels: Image, foreground: NDArray[np.bool_]) -> str:
    """Name one prepared scan by its content."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels, dtype=np.float32).tobytes())
    digest.update(np.packbits(foreground).tobytes())
    return digest.hexdigest()
