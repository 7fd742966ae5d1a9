"""The anatomy that every phantom is bent from: the MNI152 template inside the nilearn package.

V. Fonov et al., "Unbiased nonlinear average age-appropriate brain templates from birth to adulthood",
NeuroImage 47 (2009) S102.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.errors import MissingExtra
from atypia.scan import Image, Mask

AIR, CSF, GREY, WHITE = 0.0, 0.25, 0.6, 0.9
"""The normalised T1 signal of each tissue."""

TEMPLATE_NOTICE = """\
ICBM 152 nonlinear symmetric template, version 2009a
(V. Fonov et al., NeuroImage 47 (2009) S102; distributed with nilearn, https://nilearn.github.io).
Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre,
Montreal Neurological Institute, McGill University.
Permission to use, copy, modify, and distribute this software and its documentation for any purpose
and without fee is hereby granted, provided that the above copyright notice appear in all copies.
The authors and McGill University make no representations about the suitability of this software
for any purpose. It is provided "as is" without express or implied warranty. The authors are not
responsible for any data loss, equipment damage, property loss, or injury to subjects or patients
resulting from the use or misuse of this software package."""

_FILE = "datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
_LOWEST, _HIGHEST = -40, 111  # mm above the commissures; like the volume's sides, an odd number of voxels
_REACH = 24  # mm: how far from the brain the depth is known, and how wide a fissure the hull closes
_T1_STEPS, _DEPTH_STEPS, _DEPTH_ZERO = 150, 4, 100  # bytes per unit of T1, bytes per mm, byte of depth 0


@dataclass(frozen=True, eq=False)
class Template:
    """A normalised T1 volume and the depth below the inner table of the skull, 1 mm, in one array.

    `packed` is uint16 (X, Y, Z) in RAS order: the low byte is the T1, the high byte the depth.
    `origin` is where voxel (0, 0, 0) lies in MNI space, in mm.
    """

    packed: NDArray[np.uint16]
    origin: tuple[float, float, float]

    def sample(self, x: Image, y: Image, z: Image) -> tuple[Image, Image]:
        """Return T1 and depth (mm, positive inside) at MNI positions in mm, by trilinear interpolation."""
        corner, fractions = self._cells(x, y, z)
        flat = self.packed.reshape(-1)
        _, ny, nz = self.packed.shape
        t1 = np.zeros(x.shape, np.float32)
        depth = np.zeros(x.shape, np.float32)
        for step in np.ndindex(2, 2, 2):
            weight = np.ones(x.shape, np.float32)
            for taken, fraction in zip(step, fractions, strict=True):
                weight *= fraction if taken else 1 - fraction
            voxel = flat[corner + ((step[0] * ny + step[1]) * nz + step[2])]
            t1 += weight * (voxel & 255)
            depth += weight * (voxel >> 8)
        return t1 / np.float32(_T1_STEPS), (depth - _DEPTH_ZERO) / np.float32(_DEPTH_STEPS)

    def _cells(self, *position: Image) -> tuple[NDArray[np.int32], list[Image]]:
        """Find the voxel below each position, as an index into the flat volume, and the way on from it."""
        index = np.zeros(position[0].shape, np.int32)
        fractions = []
        for axis, length, start in zip(position, self.packed.shape, self.origin, strict=True):
            place = np.clip(axis - np.float32(start), 0, np.float32(length - 1.001))
            below = place.astype(np.int32)
            index = index * length + below
            fractions.append(place - below)
        return index, fractions


@lru_cache(maxsize=2)
def load_template(lowest: int = _LOWEST) -> Template:
    """Read nilearn's volumes and build the template; built once per process, in about two seconds.

    It begins `lowest` mm above the commissures, an even number of at least -72.
    Raises MissingExtra where nilearn, or its volumes, are not installed.
    """
    volumes, origin = _read_volumes(template_paths(), lowest)
    t1, grey, white = volumes["t1"], volumes["gm"], volumes["wm"]
    head = t1 > 0
    depth = _depth_below_skull(head)
    signal = np.where(head, _normalised(t1, grey, white), np.where(depth > 0, CSF, AIR))
    t1_bytes = np.clip(signal * _T1_STEPS + 0.5, 0, 255).astype(np.uint16)
    depth_bytes = np.clip(depth * _DEPTH_STEPS + _DEPTH_ZERO + 0.5, 0, 255).astype(np.uint16)
    return Template(np.ascontiguousarray(t1_bytes | depth_bytes << 8), origin)


def template_paths() -> dict[str, Path]:
    """Find the T1, grey and white matter volumes without importing nilearn, which takes seconds.

    Raises MissingExtra where nilearn, or its volumes, are not installed.
    """
    package = find_spec("nilearn")
    folder = Path(package.origin).parent if package and package.origin else None
    paths = {name: folder / _FILE.format(name) for name in ("t1", "gm", "wm")} if folder else {}
    if not paths or not all(path.is_file() for path in paths.values()):
        raise MissingExtra("the phantom", "demo")
    return paths


def _read_volumes(paths: dict[str, Path], lowest: int) -> tuple[dict[str, Image], tuple[float, float, float]]:
    """Return the volumes in [0, 255], cropped in height, and the origin in mm."""
    import nibabel  # comes with nilearn

    volumes = {}
    for name, path in paths.items():
        image = nibabel.as_closest_canonical(nibabel.load(path))
        start = image.affine[:3, 3]
        low, high = int(lowest - start[2]), int(_HIGHEST - start[2])
        volumes[name] = np.asarray(image.dataobj)[:, :, low:high].astype(np.float32)
    return volumes, (float(start[0]), float(start[1]), float(lowest))


def _normalised(t1: Image, grey: Image, white: Image) -> Image:
    """Bring the T1 to `CSF`, `GREY` and `WHITE`, with the sulci that averaging has blurred drawn again."""
    fluid = (t1 > 0) & (grey + white < 25)
    levels = [0.0] + [float(np.median(t1[mask])) for mask in (fluid, grey > 230, white > 250)]
    scaled = np.interp(t1, [*levels, 2 * levels[3]], [AIR, CSF, GREY, WHITE, 2 * WHITE])
    tissue = (GREY * grey + WHITE * white + CSF * np.clip(255 - grey - white, 0, 255)) / 255
    blended = (0.5 * scaled + 0.5 * tissue).astype(np.float32)
    sharpened = blended - 3 * _valley(np.where(t1 > 0, blended, CSF))
    return np.asarray(np.maximum(sharpened, 0.1), np.float32)


def _valley(signal: Image, sigma: float = 1.2) -> Image:
    """Measure how much each axial pixel lies in a dark line: the larger eigenvalue of the Hessian, scaled."""
    xx = ndimage.gaussian_filter(signal, sigma, order=(2, 0, 0))
    yy = ndimage.gaussian_filter(signal, sigma, order=(0, 2, 0))
    xy = ndimage.gaussian_filter(signal, sigma, order=(1, 1, 0))
    eigenvalue = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    return np.asarray(sigma**2 * np.clip(eigenvalue, 0, None), np.float32)


def _depth_below_skull(head: Mask) -> Image:
    """Return the signed distance, in mm, to the brain's hull, its closing by a ball; -_REACH far outside.

    The hull is smooth: every other voxel tells enough of it, in an eighth of the time.
    """
    grown = ndimage.distance_transform_edt(~head[::2, ::2, ::2], sampling=2) < _REACH
    depth: Image = ndimage.distance_transform_edt(grown, sampling=2).astype(np.float32) - _REACH
    for axis in range(3):
        depth = _twice_as_fine(depth, axis)
    return depth


def _twice_as_fine(field: Image, axis: int) -> Image:
    """Put the mean of two neighbours between them: n samples become 2 n - 1."""
    coarse = np.moveaxis(field, axis, 0)
    fine = np.empty((2 * len(coarse) - 1, *coarse.shape[1:]), np.float32)
    fine[::2] = coarse
    fine[1::2] = (coarse[:-1] + coarse[1:]) / 2
    return np.moveaxis(fine, 0, axis)
