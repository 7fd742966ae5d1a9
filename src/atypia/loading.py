"""Reads and prepares many scans in threads, in order, with bounded memory; a bad scan becomes its error."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.base import Batch
from atypia.errors import OutputError, UnreadableScan
from atypia.preparation import Preparation, Prepared
from atypia.progress import progress
from atypia.reading.collection import Row
from atypia.reading.picture import read_picture
from atypia.scan import Scan

WORKERS = 2
AHEAD = 48


@dataclass(frozen=True, eq=False)
class Loaded:
    """One row with what came of it: a prepared scan, or the error that reading or preparing it gave."""

    row: Row | None
    name: str
    prepared: Prepared | None = None
    error: UnreadableScan | None = None


def load(items: Iterable[Row | Scan], preparation: Preparation, workers: int = WORKERS) -> Iterator[Loaded]:
    """Yield every row, or scan in memory, read and prepared, in order; at most AHEAD are under way at once."""

    def one(item: Row | Scan) -> Loaded:
        row = item if isinstance(item, Row) else None
        try:
            scan = (
                item if isinstance(item, Scan) else read_picture(item.path, name=item.name, group=item.group)
            )
            return Loaded(row, item.name, preparation(scan))
        except UnreadableScan as error:
            return Loaded(row, item.name, error=error)

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Loaded]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(one, item))
                if len(waiting) >= AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def in_batches(loaded: Iterable[Loaded], size: int) -> Iterator[tuple[list[Loaded], Batch | None]]:
    """Gather `size` at a time; the Batch holds, in order, those that could be prepared."""
    part: list[Loaded] = []
    for item in loaded:
        part.append(item)
        if len(part) == size:
            yield part, to_batch(part)
            part = []
    if part:
        yield part, to_batch(part)


def to_batch(loaded: Sequence[Loaded]) -> Batch | None:
    """Stack the prepared ones of these; None where there are none."""
    good = [item.prepared for item in loaded if item.prepared is not None]
    if not good:
        return None
    return Batch(np.stack([p.pixels for p in good]), np.stack([p.foreground for p in good]))


class PreparedFolder:
    """Prepared scans on disk, float16 and bits, read by index: memory does not grow with their number."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self._folder, self._count, self._size = folder, count, size

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: NDArray[np.intp]) -> Batch:
        """Return the prepared scans at these places, in this order."""
        pixels = np.memmap(
            self._folder / "pixels.f16", np.float16, "r", shape=(self._count, self._size, self._size)
        )[indices]
        bits = np.memmap(
            self._folder / "foreground.bits", np.uint8, "r", shape=(self._count, -(-(self._size**2) // 8))
        )[indices]
        flat = np.unpackbits(bits, axis=1, count=self._size**2).astype(bool)
        return Batch(pixels.astype(np.float32), flat.reshape(-1, self._size, self._size))


def prepare_to_folder(
    items: Sequence[Row | Scan], preparation: Preparation, folder: Path, label: str = "reading"
) -> tuple[PreparedFolder, list[Loaded]]:
    """Read and prepare these scans into `folder`; return them and those that failed."""
    failed: list[Loaded] = []
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "pixels.f16").open("wb") as pixels, (folder / "foreground.bits").open("wb") as bits:
            for item in progress(load(items, preparation), total=len(items), label=label):
                if item.prepared is None:
                    failed.append(item)
                    continue
                pixels.write(item.prepared.pixels.astype(np.float16).tobytes())
                bits.write(np.packbits(item.prepared.foreground).tobytes())
                count += 1
    except OSError as error:
        raise OutputError(
            f"{folder}: prepared scans could not be stored ({error}). Free some space."
        ) from error
    return PreparedFolder(folder, count, preparation.size), failed


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that goes when it is closed, for work that need not outlive the process."""
    return tempfile.TemporaryDirectory(prefix="atypia-", ignore_cleanup_errors=True)
