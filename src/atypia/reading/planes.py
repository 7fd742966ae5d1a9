"""In which planes a volume can be cut: not where its slices would be made of a few thick voxels."""

from __future__ import annotations

from collections.abc import Sequence

from atypia.reading.volume import Volume

COARSEST = 3.0
FEWEST_VOXELS = 16


def too_coarse(volume: Volume, plane: str) -> str | None:
    """Return why a volume cannot be cut in a plane, None where it can.

    The plane of acquisition always can. Others cannot where one side of their pixels is more than 3 times
    the other, or where their slices would be fewer than 16 voxels high or wide.

    >>> import numpy as np
    >>> thick = Volume(np.zeros((64, 64, 20), np.float32), np.diag([1.0, 1, 6, 1]), "a")
    >>> too_coarse(thick, "axial"), too_coarse(thick, "coronal")
    (None, 'coronal pixels of 6 x 1 mm, where one side may be 3 times the other')
    """
    if plane == volume.plane:
        return None
    cut = volume.slice(plane, 0)
    rows, columns = cut.spacing or (1.0, 1.0)
    if max(rows, columns) > COARSEST * min(rows, columns):
        pixels = f"{plane} pixels of {rows:.3g} x {columns:.3g} mm"
        return f"{pixels}, where one side may be {COARSEST:g} times the other"
    if min(cut.pixels.shape) < FEWEST_VOXELS:
        return f"{plane} slices of {cut.pixels.shape[0]} x {cut.pixels.shape[1]} voxels"
    return None


def planes_to_cut(volume: Volume, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return those of the planes wanted in which a volume can be cut."""
    return tuple(plane for plane in wanted if too_coarse(volume, plane) is None)


def not_cut(volume: Volume, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return a note for each of the planes wanted in which a volume cannot be cut."""
    reasons = [(plane, too_coarse(volume, plane)) for plane in wanted]
    return tuple(f"not cut in the {plane} plane: {reason}" for plane, reason in reasons if reason)
