"""Healthy scans as a network on pixels reads them: small pictures on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import not_written
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.errors import BadOption
from atypia.progress import progress

AT_ONCE = 32
HEAD, BRAIN = 1, 2


@final
class Canvases:
    """A prepared set, averaged over squares of `reduction` pixels, on disk: memory does not grow with it.

    It is a prepared set itself, its batches on the smaller grid, the brain being their interior.
    `fingerprint` names its content; `folder` is where it lies. Raises BadOption where the squares do not fill
    the scans, OutputError where the disk is full.
    """

    def __init__(self, scans: PreparedSet, folder: Path, reduction: int) -> None:
        self.full_size = int(scans.batch(np.arange(1)).pixels.shape[-1])
        if self.full_size % reduction:
            raise BadOption(
                f"Expected scans whose side is a multiple of {reduction}, received {self.full_size} pixels. "
                "Choose another size for the preparation, or another reduction."
            )
        self.size = self.full_size // reduction
        self._count = len(scans)
        self.folder, self._pixels, self._masks = folder, folder / "pixels.f16", folder / "masks.u8"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.fingerprint = self._write(scans, reduction)
        except OSError as error:
            raise not_written(folder, error) from error

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the scans at these places, (n, size, size)."""
        pixels = self._stored(self._pixels, np.float16)[indices].astype(np.float32)
        masks = self._stored(self._masks, np.uint8)[indices]
        return Batch(pixels, (masks & HEAD) > 0, (masks & BRAIN) > 0)

    def _stored(self, path: Path, dtype: Any) -> NDArray[Any]:
        return np.memmap(path, dtype=dtype, mode="r", shape=(self._count, self.size, self.size))

    def _write(self, scans: PreparedSet, reduction: int) -> str:
        digest = hashlib.sha256(repr((self._count, self.size)).encode())
        parts = batches(self._count, AT_ONCE)
        with self._pixels.open("wb") as pixels, self._masks.open("wb") as masks:
            for part in progress(
                parts, total=-(-self._count // AT_ONCE), label="storing scans", unit="batch"
            ):
                batch = scans.batch(part)
                head, brain = (_averaged(mask, reduction) > 0.5 for mask in (batch.foreground, batch.brain))
                stored = _averaged(batch.pixels, reduction).astype(np.float16).tobytes()
                marked = (HEAD * head + BRAIN * brain).astype(np.uint8).tobytes()
                pixels.write(stored)
                masks.write(marked)
                digest.update(stored + marked)
        return digest.hexdigest()


def _averaged(pictures: NDArray[Any], reduction: int) -> NDArray[np.float32]:
    n, size, _ = pictures.shape
    few = size // reduction
    squares = pictures.reshape(n, few, reduction, few, reduction)
    return np.asarray(squares.mean((2, 4), dtype=np.float32))
