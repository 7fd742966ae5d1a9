"""How a scan was taken, as numbers that a lesion changes little: its look, its noise, whether it is CT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from atypia.encoders import Encoder, load_encoder
from atypia.fitness.canvas import SIDE, small_canvas
from atypia.fitness.tomography import ct_index
from atypia.scan import Image, Mask

ENCODER, CUT = "efficientnet-lite0", ("stage4", "stage8", "stage16")
EDGE = 6
_NORMAL_QUARTILE = 0.6745


@dataclass(frozen=True, eq=False)
class Looks:
    """The acquisition of N scans.

    `features` float32 (N, K) describe the look; `noise` float64 (N,) is a standard deviation, in shares of
    the head's range of intensities; `ct` float64 (N,) is above 0 for what looks like CT.
    """

    features: NDArray[np.float32]
    noise: NDArray[np.float64]
    ct: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.noise)

    def where(self, chosen: NDArray[np.bool_]) -> Looks:
        """Return those chosen (N,)."""
        return Looks(self.features[chosen], self.noise[chosen], self.ct[chosen])

    @classmethod
    def together(cls, parts: list[Looks]) -> Looks:
        """Join these, in order."""
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("features", "noise", "ct")))


@lru_cache(maxsize=4)
def look_encoder(threads: int | None = None) -> Encoder:
    """Return the embedded encoder that looks are taken with."""
    return load_encoder(ENCODER, cut=CUT, threads=threads)


def look_at(pixels: Image, foreground: Mask, threads: int | None = None) -> Looks:
    """Look at prepared scans (N, S, S) in [0, 1] and their heads.

    Features: medians and upper quartiles over the cells of the head, at each of three depths of the encoder,
    and at the deepest the medians of three bands of rows and three of columns. A median does not move while
    less than half of its cells are changed: a tumour leaves it about where it was.
    Noise: the median absolute second difference of Immerkaer, "Fast noise variance estimation" (1996),
    equation 3, its median in place of its mean.
    """
    pairs = [small_canvas(scan, head) for scan, head in zip(pixels, foreground, strict=True)]
    small, heads = np.stack([scan for scan, _ in pairs]), np.stack([head for _, head in pairs])
    maps = look_encoder(threads)(small)
    features = [_spread(map_, _cells(heads, map_.shape[1])) for map_ in maps]
    return Looks(
        np.concatenate([*features, _bands_of(maps[-1])], axis=1),
        np.array([_noise(scan, head) for scan, head in zip(pixels, foreground, strict=True)]),
        np.array([ct_index(scan, head) for scan, head in pairs]),
    )


def _cells(heads: Mask, grid: int) -> Mask:
    """Return which cells (N, G, G) lie in the head for the most part; all where none does."""
    step = SIDE // grid
    inside = heads.reshape(len(heads), grid, step, grid, step).mean((2, 4)) > 0.5
    inside[~inside.any((1, 2))] = True
    return np.asarray(inside)


def _spread(maps: NDArray[np.float32], cells: Mask) -> NDArray[np.float32]:
    """Return medians and upper quartiles (N, 2 C) of maps (N, G, G, C) over these cells."""
    count, channels = len(maps), maps.shape[-1]
    outside = np.where(cells, np.float32(0), np.float32(np.inf)).reshape(count, -1, 1)
    ordered = np.sort(maps.reshape(count, -1, channels) + outside, axis=1)
    number = cells.sum((1, 2))
    places = [((number - 1) * share).round().astype(np.intp) for share in (0.5, 0.75)]
    return np.concatenate([ordered[np.arange(count), place] for place in places], axis=1)


def _bands_of(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return medians (N, 6 C) over three bands of rows and three of columns."""
    count, grid, _, channels = maps.shape
    edges = [round(part * grid / 3) for part in range(4)]
    bands = [slice(first, last) for first, last in pairwise(edges)]
    parts = [*(maps[:, band] for band in bands), *(maps[:, :, band] for band in bands)]
    ordered = [np.sort(part.reshape(count, -1, channels), axis=1) for part in parts]
    return np.concatenate([part[:, part.shape[1] // 2] for part in ordered], axis=1)


def _noise(pixels: Image, head: Mask) -> float:
    """Return the noise well inside the head, looked at on every second pixel each way."""
    rough = second_differences(pixels)[EDGE::2, EDGE::2]
    inner = head[1:-1, 1:-1][EDGE::2, EDGE::2]
    values = np.abs(rough[inner] if inner.any() else rough)
    return float(np.median(values)) / (6 * _NORMAL_QUARTILE)


def second_differences(pixels: Image) -> Image:
    """Return how far each pixel departs from its neighbours (H - 2, W - 2), by the mask of Immerkaer."""
    rows = [pixels[first : len(pixels) - 2 + first] for first in range(3)]
    across = rows[0] - 2 * rows[1] + rows[2]
    return np.asarray(across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:], pixels.dtype)
