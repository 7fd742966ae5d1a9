"""Healthy scans as a network's training loop reads them: altered copies on disk, features from the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.base import Batch, PreparedSet, batches
from atypia.encoders import Encoder
from atypia.encoders.feature_cache import FeatureCache, content_key
from atypia.networks.augmentation import augment
from atypia.progress import progress
from atypia.scan import Image

AT_ONCE = 32


class Views:
    """A prepared set and its altered copies, on disk as float16: `pixels(view)` is (N, S, S).

    View 0 is the set as it is; view v > 0 alters scan i by the seed (seed, v, i).
    """

    def __init__(self, scans: PreparedSet, folder: Path, copies: int, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.count = len(scans)
        self._files = [folder / f"view{v}.f16" for v in range(copies + 1)]
        self.keys: list[list[str]] = [[] for _ in self._files]
        for view, path in enumerate(self._files):
            self._write(scans, path, view, seed)
        self.size = scans.batch(np.arange(1)).pixels.shape[-1]

    def _write(self, scans: PreparedSet, path: Path, view: int, seed: int) -> None:
        label = "altering scans" if view else "storing scans"
        with path.open("wb") as file:
            for part in progress(
                batches(self.count, AT_ONCE), total=-(-self.count // AT_ONCE), label=label, unit="batch"
            ):
                batch = scans.batch(part)
                pixels, foreground = batch.pixels, batch.foreground
                if view:
                    pixels, foreground = augment(pixels, foreground, [(seed, view, int(i)) for i in part])
                stored = pixels.astype(np.float16)
                file.write(stored.tobytes())
                self.keys[view] += [
                    content_key(p.astype(np.float32), f) for p, f in zip(stored, foreground, strict=True)
                ]

    def pixels(self, view: int, indices: NDArray[np.intp]) -> Image:
        """Return float32 (n, S, S)."""
        shape = (self.count, self.size, self.size)
        stored = np.memmap(self._files[view], dtype=np.float16, mode="r", shape=shape)
        return np.asarray(stored[indices], dtype=np.float32)


class EncodedExamples:
    """What a network on a frozen encoder learns from: features in, the picture as truth."""

    def __init__(self, views: Views, encoder: Encoder, cache: FeatureCache) -> None:
        self._views, self._encoder, self._cache = views, encoder, cache
        self.fingerprint = _fingerprint(views.keys, encoder.fingerprint)

    def __len__(self) -> int:
        return self._views.count

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[NDArray[np.float32]], Image]:
        """Return the features of each cut and the pictures."""
        pixels = self._views.pixels(view, indices)
        keys = [self._views.keys[view][i] for i in indices]
        features = self._cache.features(self._encoder, pixels, keys)
        return [f.astype(np.float32) for f in features], pixels

    def encode_all(self) -> None:
        """Compute what the cache lacks, with a bar, so that training starts from a full cache."""
        parts = [
            (view, part) for view in range(len(self._views.keys)) for part in batches(len(self), AT_ONCE)
        ]
        for view, part in progress(parts, total=len(parts), label="encoding", unit="batch"):
            self.get(part, view)

    def sample_cells(self, per_scan: int, seed: int) -> list[NDArray[np.float32]]:
        """Return, for each cut, the features (M, C) of random cells of the unaltered scans.

        Finer cuts are averaged to the grid of the coarsest, as the network reads them.
        """
        rng = np.random.default_rng((seed, 2))
        rows: list[list[NDArray[np.float32]]] = [[] for _ in self._encoder.cut]
        coarsest = max(self._encoder.strides)
        for part in batches(len(self), AT_ONCE):
            features, _ = self.get(part, 0)
            for place, (maps, stride) in enumerate(zip(features, self._encoder.strides, strict=True)):
                cells = pool_cells(maps, coarsest // stride).reshape(len(part), -1, maps.shape[-1])
                chosen = rng.integers(0, cells.shape[1], (len(part), per_scan))
                rows[place].append(
                    np.take_along_axis(cells, chosen[..., None], axis=1).reshape(-1, maps.shape[-1])
                )
        return [np.concatenate(part) for part in rows]


class PixelExamples:
    """What a network with its own, trained encoder learns from: pictures in, the same pictures as truth."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self.fingerprint = _fingerprint(views.keys, "pixels")

    def __len__(self) -> int:
        return self._views.count

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Image]:
        """Return the pictures twice."""
        pixels = self._views.pixels(view, indices)
        return [pixels], pixels


def pool_cells(maps: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average (N, h, w, C) over squares of `factor` cells."""
    n, h, w, c = maps.shape
    return maps if factor == 1 else maps.reshape(n, h // factor, factor, w // factor, factor, c).mean((2, 4))


def _fingerprint(keys: Sequence[Sequence[str]], encoder: str) -> str:
    digest = hashlib.sha256(encoder.encode())
    for view in keys:
        digest.update("".join(view).encode())
    return digest.hexdigest()


def whole(scans: PreparedSet) -> Batch:
    """Return all scans at once; for sets that are known to be small."""
    return scans.batch(np.arange(len(scans)))
