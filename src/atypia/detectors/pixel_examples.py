"""Healthy scans as a network with an encoder of its own reads them."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.views import Views
from atypia.encoders import Encoder
from atypia.scan import Image


@final
class PixelExamples:
    """Pictures in, the same pictures as truth; `encoder` is what the network's own one starts from."""

    def __init__(self, views: Views, encoder: Encoder) -> None:
        self._views = views
        self.fingerprint = views.fingerprint(encoder.fingerprint)

    def __len__(self) -> int:
        return self._views.count

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Image]:
        """Return the pictures twice."""
        pixels = self._views.pixels(view, indices)
        return [pixels], pixels
