"""The healthy scans that look most like a scan, for a reader who compares.

A Screener holds no pictures of the scans that it learned from. So healthy scans are named to the service, or,
for the Screener that comes with Atypia, healthy phantoms are made; each is prepared as the Screener prepares
scans, and kept as a thumbnail and as a descriptor: the prepared scan at 32 x 32, free of brightness and
contrast. The distance of two is that of their descriptors, from 0 (the same) to 2 (one the negative of the
other).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.atomic import atomic
from atypia.destination import held
from atypia.errors import MissingExtra, OutputError
from atypia.loading import Loaded, load
from atypia.pretrained import pretrained_path
from atypia.reading.collection import Row, read_collection
from atypia.scan import Image, Scan
from atypia.screening.making import hash_of
from atypia.service.home import Home

if TYPE_CHECKING:
    from atypia.screener import Screener

MOST = 2000
PHANTOMS = 120
FIRST_PHANTOM = 987_000_000
"""Far from the phantoms that users make, which would else find themselves."""
SIDE = 32
THUMBNAIL = 96
PREPARED = "prepared.png"
"""The file of a finding that has the scan as the Screener saw it."""

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    """A healthy scan: its `distance`, in [0, 2], and a small WebP picture of it."""

    distance: float
    thumbnail: bytes

    @property
    def data_url(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/webp;base64,{base64.b64encode(self.thumbnail).decode()}"


def descriptor(pixels: Image) -> Numbers:
    """Return the descriptor, float32 (1024,) of length 1, of a prepared scan (S, S); zeros of a flat one."""
    small = np.asarray(
        PIL.Image.fromarray(np.asarray(pixels, np.float32)).resize((SIDE, SIDE), PIL.Image.Resampling.BOX),
        np.float32,
    ).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-6 else np.zeros_like(small)


def place(home: Home, sha256: str) -> Path:
    """Return where the healthy scans of a Screener are kept."""
    return home.healthy / f"{sha256}.npz"


def is_there(home: Home, sha256: str) -> bool:
    """Tell whether healthy scans are kept for a Screener."""
    return place(home, sha256).is_file()


def ensure(
    home: Home,
    sha256: str,
    screener: Screener,
    healthy: Path | None,
    give_way: Callable[[], object] = lambda: None,
) -> bool:
    """Keep healthy scans for a loaded Screener, once; tell whether there are any.

    `healthy` is a folder or table, of which the normal scans, or those without a label, are taken, evenly up
    to 2000; without one, only the Screener that comes with Atypia has some. What cannot be read is left out.
    Where another process is at it, it is left to that one. `give_way` is called before each scan, and may
    wait. Raises InputError where `healthy` is no folder or table, OutputError where there is no room.
    """
    path = place(home, sha256)
    if path.is_file():
        return True
    if healthy is None and not _is_ours(sha256):
        return False
    scans = _named(healthy, screener) if healthy is not None else _phantoms()
    work = home.healthy / f"{sha256}.making"
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(_remove, work)
        try:
            stack.enter_context(held(work))
        except OutputError:
            return False  # another worker is at it
        if not path.is_file():
            _write(path, load(_giving_way(scans, give_way), screener.preparation))
    return path.is_file()


def _giving_way(scans: Iterable[Row | Scan], give_way: Callable[[], object]) -> Iterator[Row | Scan]:
    for scan in scans:
        give_way()
        yield scan


def _remove(work: Path) -> None:
    with suppress(OSError):  # another process is still at it
        work.rmdir()


def inherit(home: Home, sha256: str, of: str) -> None:
    """Let a Screener with another threshold have the healthy scans of the one that it was made of."""
    old, new = place(home, of), place(home, sha256)
    if old.is_file() and not new.exists():
        with atomic(new) as temporary:
            temporary.write_bytes(old.read_bytes())


def alike(home: Home, sha256: str, prepared: Path | bytes, count: int) -> list[Neighbour]:
    """Return the healthy scans nearest to a prepared scan, a picture or its file, the nearest first.

    Raises FileNotFoundError where no healthy scans are kept, or there is no such picture.
    """
    path = place(home, sha256)
    kept = _kept(path, path.stat().st_mtime_ns)
    with PIL.Image.open(io.BytesIO(prepared) if isinstance(prepared, bytes) else prepared) as opened:
        asked = descriptor(np.asarray(opened.convert("L"), np.float32))
    distances = np.sqrt(np.maximum(2 - 2 * (kept.descriptors @ asked), 0))
    nearest = np.argsort(distances, kind="stable")[:count]
    return [Neighbour(float(distances[at]), kept.thumbnail(int(at))) for at in nearest]


@dataclass(frozen=True, eq=False)
class _Kept:
    """Descriptors (N, 1024), the bytes of all thumbnails, and where each ends (N,)."""

    descriptors: Numbers
    thumbnails: NDArray[np.uint8]
    ends: NDArray[np.int64]

    def thumbnail(self, at: int) -> bytes:
        start = int(self.ends[at - 1]) if at else 0
        return self.thumbnails[start : int(self.ends[at])].tobytes()


@lru_cache(maxsize=4)
def _kept(path: Path, _changed: int) -> _Kept:
    with np.load(path, allow_pickle=False) as arrays:
        return _Kept(arrays["descriptors"], arrays["thumbnails"], arrays["ends"])


def _write(path: Path, loaded: Iterable[Loaded]) -> None:
    descriptors, thumbnails = [], []
    for one in loaded:
        if one.prepared is not None:
            descriptors.append(descriptor(one.prepared.pixels))
            thumbnails.append(_webp(one.prepared.pixels))
    if not descriptors:
        return
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            descriptors=np.stack(descriptors),
            thumbnails=np.frombuffer(b"".join(thumbnails), np.uint8),
            ends=np.cumsum([len(one) for one in thumbnails], dtype=np.int64),
        )


def _webp(pixels: Image) -> bytes:
    """Return a prepared scan, (S, S) in [0, 1], as a small picture."""
    grey = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    with io.BytesIO() as file:
        small = PIL.Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.LANCZOS)
        small.save(file, "WEBP", quality=80)
        return file.getvalue()


def _named(healthy: Path, screener: Screener) -> list[Row]:
    collection = read_collection(healthy, cutting=screener.cutting)
    rows = [row for row in collection.rows if row.label in (None, "normal")]
    return rows[:: max(1, -(-len(rows) // MOST))]


def _is_ours(sha256: str) -> bool:
    return hash_of(pretrained_path("synthetic")) == sha256


def _phantoms() -> Iterator[Scan]:
    """Make healthy phantoms; none without the package that has their template."""
    from atypia.datasets.phantom import phantom_image

    try:
        for seed in range(FIRST_PHANTOM, FIRST_PHANTOM + PHANTOMS):
            yield Scan(np.asarray(phantom_image(seed).pixels, np.float32), f"phantom {seed}")
    except MissingExtra:
        return
