"""Two altered copies of each healthy scan, drawn anew for every pass over them."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.views import Views
from atypia.networks.augmentation import move, shade
from atypia.scan import Image

Truth = NDArray[np.float32]


@final
class AlteredTwins:
    """Copies of scans that lie and shine otherwise, all about them drawn from (seed, pass, scan) alone."""

    def __init__(self, views: Views, encoder: str, seed: int) -> None:
        self._views, self._seed = views, seed
        self.fingerprint = views.fingerprint(encoder)

    def __len__(self) -> int:
        return self._views.count

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Truth]:
        """Return two copies (n, S, S) of each scan; there is no truth, and what stands for it is not read."""
        pairs = [
            [_altered(scan, np.random.default_rng((self._seed, 6, view, int(i), twin))) for twin in range(2)]
            for i, scan in zip(indices, self._views.pixels(0, indices), strict=True)
        ]
        firsts, seconds = (np.stack(copies) for copies in zip(*pairs, strict=True))
        return [firsts, seconds], np.zeros(len(indices), np.float32)


def _altered(pixels: Image, rng: np.random.Generator) -> Image:
    (moved,) = move((pixels,), rng)
    return shade(moved, rng)
