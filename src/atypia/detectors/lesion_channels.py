"""What a network that looks for lesions is shown of a scan."""

from __future__ import annotations

import numpy as np

from atypia.lesions.simulation import smooth
from atypia.scan import Image

CHANNELS = 3
USUAL = 0.8
FARTHEST = 4.0
FLOOR = 0.1
# Where the atlas is darker than this there is nothing to compare with.
NOTHING = 0.05


def channels(tissue: Image, median: Image, spread: Image) -> Image:
    """Return (N, h, w, 3): the scan, its difference to its mirror image, its departure from the atlas.

    All given are (N, h, w) in units of the brain's median; `spread` is a median absolute deviation.
    """
    soft = smooth(tissue, 5)
    residual = np.clip((soft - median) / (1.5 * spread + FLOOR), -FARTHEST, FARTHEST) * (median > NOTHING)
    return np.concatenate([scan_channels(tissue, soft), residual[..., None]], axis=-1, dtype=np.float32)


def scan_channels(tissue: Image, soft: Image | None = None) -> Image:
    """Return (N, h, w, 2): what there is to see of a scan (N, h, w) where no healthy one is at hand.

    `soft` is the scan smoothed over squares of 5 pixels, where that is known already.
    """
    soft = smooth(tissue, 5) if soft is None else soft
    sides = soft - smooth(soft[:, :, ::-1], 7)
    return np.asarray(np.stack([tissue - np.float32(USUAL), sides], axis=-1), np.float32)
