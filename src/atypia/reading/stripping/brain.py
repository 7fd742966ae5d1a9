"""The brain in a volume of a head, by morphology: the light method that needs no other tool."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.errors import UnreadableScan
from atypia.reading.volume import Volume

Voxels = NDArray[np.bool_]

# All lengths in mm.
_GRID = 2.0
_SMOOTHING = 1.5
_DEEPEST, _SHALLOWEST = 10.0, 2.0
_SULCI = 8.0
# Scalp and skull are nowhere thinner.
_SKULL = 5.0
# Shares of a piece that may lie close to the head's surface: of one that is clear of the scalp, and of one
# that is taken where none is.
_APART, _MOSTLY_APART = 0.01, 0.1
# In a head with its scalp the brain, eroded, is at most this share of it; beyond, there is no scalp.
_BARE = 0.85
_LEAST_ML, _MOST_ML = 300.0, 2500.0
# A head that is seen from the vertex to below the brain is larger with its scalp.
_BARE_ML = 2000.0


def brain_mask(volume: Volume) -> Voxels:
    """Find the brain in a volume of a head; return bool (I, J, K) on its own grid.

    The skull is dark in all sequences, so that tissue falls apart into brain and scalp once it is eroded far
    enough: the least erosion whose deepest piece does not reach the head's surface is taken, that piece is
    grown back within the tissue, and what it encloses is filled. After S. Sandor and R. Leahy,
    "Surface-based labeling of cortical anatomy using a deformable atlas", IEEE Trans. Med. Imaging 16
    (1997) 41, section III, with the size of the erosion found here instead of fixed. Of a volume that has no
    scalp, as its constant background and its size tell, all that is not background is returned. It knows no
    faces: optic nerves and muscles may stay, and where fluid is dark the rim of the cortex may go.
    Raises UnreadableScan where nothing of the size of a brain is found.
    """
    coarse, spacing = _coarse(volume)
    head, tissue = _head(coarse, spacing), _tissue(coarse)
    depth = ndimage.distance_transform_edt(head, sampling=spacing)
    millilitres = math.prod(spacing) / 1000
    level = _constant_background(volume.pixels)
    if level is not None and _LEAST_ML <= np.count_nonzero(head) * millilitres <= _BARE_ML:
        return np.asarray(volume.pixels != level)
    found = _core(tissue & head, depth, spacing, _MOST_ML / millilitres)
    size = 0.0 if found is None else float(np.count_nonzero(found)) * millilitres
    if found is None or not _LEAST_ML <= size <= _MOST_ML:
        raise UnreadableScan(
            volume.path or volume.name,
            f"a head with a brain of {_LEAST_ML:.0f} to {_MOST_ML:.0f} ml",
            "a volume in which none is found" if found is None else f"one of {size:.0f} ml",
            "Look at the volume; or give no --strip, or another tool for it.",
        )
    return _on_grid(found, volume.pixels.shape)


def _constant_background(pixels: NDArray[np.float32]) -> np.float32 | None:
    """Return the one value that fills the sides of the grid; None where noise does, as scanners leave it."""
    faces = np.concatenate([pixels[place].ravel() for place in (0, -1)])
    level = np.float32(np.median(faces))
    return level if np.count_nonzero(faces == level) > 0.98 * faces.size else None


def _coarse(volume: Volume) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Return the values on a grid of about 2 mm, background about 0 and bright tissue about 1, smoothed."""
    factors = [min(1.0, spacing / _GRID) for spacing in volume.spacing]
    shape = [max(1, round(side * factor)) for side, factor in zip(volume.pixels.shape, factors, strict=True)]
    spacing = tuple(
        own * side / new for own, side, new in zip(volume.spacing, volume.pixels.shape, shape, strict=True)
    )
    blurred = ndimage.gaussian_filter(
        volume.pixels, [0.4 * (side / new - 1) for side, new in zip(volume.pixels.shape, shape, strict=True)]
    )
    zoom = [new / side for side, new in zip(volume.pixels.shape, shape, strict=True)]
    values = ndimage.zoom(blurred, zoom, order=1, grid_mode=True, mode="nearest")
    faces = np.concatenate([values[place].ravel() for place in (0, -1)])
    low = min(float(np.median(faces)), float(np.percentile(values, 2)))
    bright = values[values > low + 0.1 * (float(np.percentile(values, 99.5)) - low)]
    high = float(np.percentile(bright, 90)) if bright.size else low
    if not high > low:
        return np.zeros(values.shape, np.float32), spacing
    values = (values - low) / (high - low)
    sigma = [_SMOOTHING / 2 / one for one in spacing]
    return np.asarray(ndimage.gaussian_filter(np.clip(values, 0, 1.5), sigma), np.float32), spacing


def _head(values: NDArray[np.float32], spacing: tuple[float, ...]) -> Voxels:
    """Return the head: the largest piece that is not background, its holes filled, slice by slice as well."""
    piece = _largest(ndimage.binary_opening(values > 0.12, iterations=1))
    piece = _closed(piece, 6.0, spacing)
    for axis in range(3):
        for place in range(piece.shape[axis]):
            index: list[slice | int] = [slice(None)] * 3
            index[axis] = place
            piece[tuple(index)] = ndimage.binary_fill_holes(piece[tuple(index)])
    return piece


def _tissue(values: NDArray[np.float32]) -> Voxels:
    """Return what is bright enough to be neither bone nor air: above half of what tissue usually has."""
    inside = values[values > 0.15]
    usual = float(np.median(inside)) if inside.size else 1.0
    return np.asarray(values > 0.5 * usual)


def _core(
    tissue: Voxels, depth: NDArray[np.float64], spacing: tuple[float, ...], most: float
) -> Voxels | None:
    """Return all of a head without a scalp, else the deepest piece that erosion leaves, grown back.

    Of the sizes of the erosion the least counts whose piece is clear of the head's surface and, grown back,
    has at most so many voxels; where there is none, that whose piece is the clearest.
    """
    if np.count_nonzero(tissue) > _BARE * np.count_nonzero(depth > 0):
        return np.asarray(depth > 0)
    inner = ndimage.distance_transform_edt(tissue, sampling=spacing)
    best: tuple[float, Voxels] | None = None
    for radius in np.arange(_SHALLOWEST, _DEEPEST + 0.1, 1.0):
        pieces, count = ndimage.label(inner > radius)
        if not count:
            break
        sizes = np.bincount(pieces.ravel())[1:]
        deep = ndimage.mean(depth, pieces, np.arange(1, count + 1))
        piece = pieces == 1 + int(np.argmax(sizes * deep))
        # A piece that still holds scalp comes close to the head's surface.
        touching = np.count_nonzero(piece & (depth < radius + 3.0)) / np.count_nonzero(piece)
        if touching >= _MOSTLY_APART or (best is not None and touching >= best[0] > _APART):
            continue
        grown = _grown(piece, tissue & (depth > _SKULL), float(radius), spacing)
        if np.count_nonzero(grown) > most:
            continue
        best = (touching, grown)
        if touching < _APART:
            break
    return None if best is None else best[1]


def _grown(piece: Voxels, tissue: Voxels, radius: float, spacing: tuple[float, ...]) -> Voxels:
    """Return the piece grown back within the tissue, with its sulci closed and its holes filled."""
    near = ndimage.distance_transform_edt(~piece, sampling=spacing) <= radius + 1.0
    return _filled(_closed(_largest(tissue & near), _SULCI, spacing))


def _filled(mask: Voxels) -> Voxels:
    """Fill what the mask encloses: all that no way outside it leads to from the faces of the grid."""
    around = np.pad(~mask, 1, constant_values=True)
    pieces, _ = ndimage.label(around)
    return np.asarray((pieces != pieces[0, 0, 0])[1:-1, 1:-1, 1:-1])


def _closed(mask: Voxels, radius: float, spacing: tuple[float, ...]) -> Voxels:
    """Close by a ball of `radius` mm."""
    margin = [math.ceil(radius / one) + 1 for one in spacing]
    padded = np.pad(mask, [(m, m) for m in margin])
    grown = ndimage.distance_transform_edt(~padded, sampling=spacing) <= radius
    closed = ndimage.distance_transform_edt(grown, sampling=spacing) > radius
    inner = tuple(slice(m, -m) for m in margin)
    return np.asarray(closed[inner] | mask, bool)


def _largest(mask: Voxels) -> Voxels:
    pieces, count = ndimage.label(mask)
    if not count:
        return np.zeros(mask.shape, bool)
    return np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])))


def _on_grid(mask: Voxels, shape: tuple[int, ...]) -> Voxels:
    zoom = [side / own for side, own in zip(shape, mask.shape, strict=True)]
    fine = ndimage.zoom(mask.astype(np.float32), zoom, order=1, grid_mode=True, mode="nearest")
    return np.asarray(fine > 0.5)
