"""Whether what is rough in a picture is noise, which is everywhere, or edges that were sharpened."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atypia.fitness.look import second_differences
from atypia.scan import Image, Mask

Pixel = TypeVar("Pixel", bound=np.generic)

BLOCK = 8
QUIETEST = 0.1
EVEN = 0.65
"""From which evenness on roughness is noise: of noise it is about 0.75, of sharpened slices about 0.5."""


def evenness(pixels: Image, head: Mask) -> float:
    """Return the roughness of the quietest tenth of blocks in the head (S, S) by that of the median block.

    The roughness of a block of 8x8 pixels is the median absolute second difference. 1 without such blocks.
    """
    rough = _blocks(np.abs(second_differences(pixels)))
    inside = _blocks(head[1:-1, 1:-1]).all(1)
    if not inside.any():
        return 1.0
    values = np.median(rough[inside], axis=1)
    return float(np.quantile(values, QUIETEST) / max(float(np.median(values)), 1e-9))


def _blocks(pixels: NDArray[Pixel]) -> NDArray[Pixel]:
    """Return the whole blocks of a picture, (N, BLOCK * BLOCK)."""
    down, across = (side // BLOCK for side in pixels.shape)
    whole: NDArray[Pixel] = pixels[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK)
    return np.reshape(whole.swapaxes(1, 2), (-1, BLOCK * BLOCK))
