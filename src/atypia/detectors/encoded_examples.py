"""Healthy scans as a network on a frozen encoder reads them: features from the cache."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.batch import batches
from atypia.detectors.views import AT_ONCE, Views
from atypia.encoders import Encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.progress import progress
from atypia.scan import Image

Features = NDArray[np.float32]
# Bounds the memory of what principal directions are learned from; more rows would not change them.
MOST_CELLS = 80_000


@final
class EncodedExamples:
    """Features in, the picture as truth; the encoder runs once for each scan and view."""

    def __init__(self, views: Views, encoder: Encoder, cache: FeatureCache) -> None:
        self._views, self._encoder, self._cache = views, encoder, cache
        self.fingerprint = views.fingerprint(encoder.fingerprint)

    def __len__(self) -> int:
        return self._views.count

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Features], Image]:
        """Return the features of each cut and the pictures."""
        pixels = self._views.pixels(view, indices)
        keys = [self._views.keys[view][i] for i in indices]
        features = self._cache.features(self._encoder, pixels, keys)
        return [f.astype(np.float32) for f in features], pixels

    def encode_all(self) -> None:
        """Compute what the cache lacks, with a bar, so that training starts from a full cache."""
        views = range(len(self._views.keys))
        parts = [(view, part) for view in views for part in batches(len(self), AT_ONCE)]
        for view, part in progress(parts, total=len(parts), label="encoding", unit="batch"):
            self.get(part, view)

    def sample_cells(self, per_scan: int, seed: int) -> list[Features]:
        """Return, for each cut, the features (M, C) of random cells of the unaltered scans."""
        rng = np.random.default_rng((seed, 2))
        count = max(1, min(per_scan, MOST_CELLS // len(self)))
        drawn: list[list[Features]] = [[] for _ in self._encoder.cut]
        for part in batches(len(self), AT_ONCE):
            for rows, maps in zip(drawn, self.get(part, 0)[0], strict=True):
                cells = maps.reshape(len(part), -1, maps.shape[-1])
                chosen = rng.integers(0, cells.shape[1], (len(part), count))
                rows.append(np.take_along_axis(cells, chosen[..., None], axis=1).reshape(-1, maps.shape[-1]))
        return [np.concatenate(rows) for rows in drawn]


def pool_cells(maps: Features, factor: int) -> Features:
    """Average (N, h, w, C) over squares of `factor` cells."""
    n, h, w, c = maps.shape
    return maps if factor == 1 else maps.reshape(n, h // factor, factor, w // factor, factor, c).mean((2, 4))
