"""Prepared scans on disk, so that a fit's memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import not_written
from atypia.detectors import Batch
from atypia.loading import Loaded, load
from atypia.preparation import Preparation
from atypia.progress import progress
from atypia.reading.collection import Row
from atypia.scan import Mask, Scan

PIXELS, FOREGROUND, INTERIOR = "pixels", "foreground.bits", "interior.bits"


@final
class PreparedFolder:
    """`count` prepared scans of `size` pixels a side, read by index; pixels as `kind`, masks as bits.

    `positions` has the place of each along the head, None where it is not known.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        size: int,
        kind: type[np.floating[Any]],
        positions: Sequence[float | None] = (),
    ) -> None:
        self._folder, self._count, self._size, self._kind = folder, count, size, kind
        self.positions = tuple(positions) or (None,) * count

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the prepared scans at these places, in this order."""
        area = self._size**2
        pixels = np.memmap(self._folder / PIXELS, self._kind, "r", shape=(self._count, area))[indices]
        shape = (-1, self._size, self._size)
        masks = [self._masks(name, indices).reshape(shape) for name in (FOREGROUND, INTERIOR)]
        return Batch(np.asarray(pixels, np.float32).reshape(shape), *masks)

    def _masks(self, name: str, indices: NDArray[np.intp]) -> Mask:
        area = self._size**2
        packed = (self._count, -(-area // 8))
        bits = np.memmap(self._folder / name, np.uint8, "r", shape=packed)[indices]
        return np.unpackbits(bits, axis=1, count=area).astype(bool)


def prepare_to_folder(
    items: Sequence[Row | Scan],
    preparation: Preparation,
    folder: Path,
    *,
    label: str,
    kind: type[np.floating[Any]] = np.float16,
) -> tuple[PreparedFolder, list[Loaded]]:
    """Read and prepare these scans into `folder`; return them and those that failed.

    Pixels are stored as `kind`: float16 is enough to learn from, float32 keeps them as they are.
    Raises OutputError where the disk is full.
    """
    failed: list[Loaded] = []
    positions: list[float | None] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            (folder / PIXELS).open("wb") as pixels,
            (folder / FOREGROUND).open("wb") as foreground,
            (folder / INTERIOR).open("wb") as interior,
        ):
            for item in progress(load(items, preparation), total=len(items), label=label):
                if item.prepared is None:
                    failed.append(item)
                    continue
                pixels.write(item.prepared.pixels.astype(kind).tobytes())
                foreground.write(np.packbits(item.prepared.foreground).tobytes())
                interior.write(np.packbits(item.prepared.interior).tobytes())
                positions.append(item.position)
    except OSError as error:
        raise not_written(folder, error) from error
    return PreparedFolder(folder, len(positions), preparation.size, kind, positions), failed
