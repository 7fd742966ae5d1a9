"""Healthy scans and altered copies of them, on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import not_written
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.encoders.feature_cache import content_key
from atypia.networks.augmentation import augment
from atypia.progress import progress
from atypia.scan import Image, Mask

AT_ONCE = 32


@final
class Views:
    """A prepared set and its altered copies, stored as float16, so that memory does not grow with them.

    View 0 is the set as it is; view v > 0 alters scan i by the seed (seed, v, i).
    `keys[v][i]` names the content of scan i in view v. Raises OutputError where the disk is full.
    """

    def __init__(self, scans: PreparedSet, folder: Path, copies: int, seed: int) -> None:
        self.count = len(scans)
        self.size = int(scans.batch(np.arange(1)).pixels.shape[-1])
        self._files = [folder / f"view{view}.f16" for view in range(copies + 1)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.keys = [self._write(scans, view, seed) for view in range(copies + 1)]
        except OSError as error:
            raise not_written(folder, error) from error

    def pixels(self, view: int, indices: NDArray[np.intp]) -> Image:
        """Return float32 (n, S, S)."""
        shape = (self.count, self.size, self.size)
        stored = np.memmap(self._files[view], dtype=np.float16, mode="r", shape=shape)
        return np.asarray(stored[indices], dtype=np.float32)

    def fingerprint(self, encoder: str) -> str:
        """Name all that is read here, and the encoder that reads it."""
        digest = hashlib.sha256(encoder.encode())
        for view in self.keys:
            digest.update("".join(view).encode())
        return digest.hexdigest()

    def _write(self, scans: PreparedSet, view: int, seed: int) -> list[str]:
        keys: list[str] = []
        label = "altering scans" if view else "storing scans"
        parts = batches(self.count, AT_ONCE)
        with self._files[view].open("wb") as file:
            for part in progress(parts, total=-(-self.count // AT_ONCE), label=label, unit="batch"):
                pixels, foreground = _altered(scans.batch(part), view, seed, part)
                stored = pixels.astype(np.float16)
                file.write(stored.tobytes())
                seen = stored.astype(np.float32)
                keys += [content_key(scan, head) for scan, head in zip(seen, foreground, strict=True)]
        return keys


def _altered(batch: Batch, view: int, seed: int, indices: NDArray[np.intp]) -> tuple[Image, Mask]:
    if view == 0:
        return batch.pixels, batch.foreground
    return augment(batch.pixels, batch.foreground, [(seed, view, int(i)) for i in indices])
