"""How deep each pixel lies in its head, found once for each scan and kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.atomic import not_written
from atypia.detectors.batch import PreparedSet, batches
from atypia.scan import Image, Mask

AT_ONCE = 64


@final
class Depths:
    """Depths float32 (N, S, S) of a prepared set, as `depth` gives them, bit for bit.

    The file has the squares of distances in pixels, which are whole numbers. Raises OutputError where the
    disk is full.
    """

    def __init__(self, scans: PreparedSet, size: int, file: Path) -> None:
        self._shape, self._file = (len(scans), size, size), file
        self._kind = np.min_scalar_type((size // 2 + 1) ** 2)
        try:
            with file.open("wb") as out:
                for part in batches(len(scans), AT_ONCE):
                    squares = np.stack([_squares(head) for head in scans.batch(part).foreground])
                    out.write(squares.astype(self._kind).tobytes())
        except OSError as error:
            raise not_written(file.parent, error) from error

    def of(self, indices: NDArray[np.intp]) -> Image:
        """Return the depths (n, S, S) of these scans."""
        squares = np.memmap(self._file, self._kind, "r", shape=self._shape)[indices]
        return _share(np.sqrt(squares.astype(np.float64)))


def depth(head: Mask) -> Image:
    """Return how deep each pixel (S, S) lies below the surface of the head, as a share of the canvas."""
    return _share(np.sqrt(_squares(head)))


def _squares(head: Mask) -> NDArray[np.float64]:
    """Return the squared distance in pixels (S, S) to what is no head; beyond the canvas nothing is."""
    distances = ndimage.distance_transform_edt(np.pad(head, 1))[1:-1, 1:-1]
    return np.asarray(np.round(distances**2))


def _share(distances: NDArray[np.float64]) -> Image:
    return np.asarray(distances / distances.shape[-1], np.float32)
