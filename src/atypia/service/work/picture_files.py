"""The files that show one judged picture: made when somebody asks for them, of the arrays that are kept."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.overlay import HeatScale, grey_share, overlay
from atypia.scan import Image
from atypia.screener import HealthyMap, Judged
from atypia.screener.regions import on_input
from atypia.service.work.kept import NAME, Kept, keep

THUMBNAIL = 96
_FAST = 1
_MEDIA = {
    ".webp": "image/webp",
    ".png": "image/png",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".dcm": "application/dicom",
}
_KEPT_BITS = np.uint32(0xFFFF8000)
DRAWN = ("overlay.png", "report.html")
"""What is drawn of the row of a finding as well: see `drawing`."""


@dataclass(frozen=True)
class Entry:
    """A file of a finding, as the database lists it; `size` is None for one that is made when asked for."""

    name: str
    size: int | None

    def values(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"name": self.name, "bytes": self.size, "media_type": _MEDIA[Path(self.name).suffix]}


def write_picture(judged: Judged, pixels: Image, folder: Path, *, with_p: bool) -> list[Entry]:
    """Keep what shows a picture (H, W) that was scored, and list it; raise OSError.

    `with_p` tells whether its Screener can tell how unusual each pixel is.
    """
    prepared = judged.loaded.prepared
    if prepared is None or judged.heat is None:
        return []
    kept = Kept(
        pixels=pixels,
        heat=judged.heat,
        head=prepared.foreground,
        geometry=prepared.geometry,
        regions=None if judged.found is None else judged.found.labels,
        prepared=_grey(prepared.pixels),
        reconstruction=_grey(judged.expected),
    )
    keep(kept, folder / NAME)
    missing = {name for name, (part, _) in MADE.items() if getattr(kept, part) is None}
    missing |= set() if with_p else {P_MAP}
    return [Entry(name, None) for name in (*MADE, *DRAWN) if name not in missing]


@dataclass(frozen=True)
class Shown:
    """What is kept of a picture (H, W), on its own pixels, each made when it is needed.

    `healthy` gives how the map looks on healthy scans. Raises what that raises.
    """

    kept: Kept
    scale: HeatScale
    healthy: Callable[[], HealthyMap]

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """The scan, from dark to bright."""
        return np.asarray(np.rint(255 * grey_share(self.kept.pixels)), np.uint8)

    @cached_property
    def heat(self) -> Image:
        """The map."""
        return self.kept.geometry.to_input(self.kept.heat)

    @cached_property
    def regions(self) -> NDArray[np.uint8] | None:
        """The ranks of regions, 0 none."""
        kept = self.kept
        return None if kept.regions is None else on_input(kept.regions, kept.geometry)

    @property
    def p_map(self) -> Image:
        """How unusual each pixel is."""
        found = self.healthy().p_map(self.kept.heat, self.kept.head, self.kept.geometry)
        if found is None:
            raise FileNotFoundError(P_MAP)
        return _rounded(found)


def thumbnail(grey: NDArray[np.uint8], heat: Image, scale: HeatScale) -> bytes:
    """Return a small WebP of a scan (H, W) under its heat, whose highest places stay in sight."""
    step = max(1, max(grey.shape) // THUMBNAIL)
    rows, columns = (side // step * step for side in grey.shape)
    blocks = heat[:rows, :columns].reshape(rows // step, step, columns // step, step)
    small = np.asarray(blocks.max(axis=(1, 3)), np.float32)
    picture = PIL.Image.fromarray(grey[:rows, :columns]).reduce(step)
    coloured = PIL.Image.fromarray(overlay(np.asarray(picture, np.float32), small, scale))
    coloured.thumbnail((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.BOX)
    file = io.BytesIO()
    coloured.save(file, "WEBP", quality=80, method=0)
    return file.getvalue()


def png(pixels: NDArray[np.uint8] | None) -> bytes:
    """Return a picture as PNG, made fast."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.asarray(pixels)).save(file, "PNG", compress_level=_FAST)
    return file.getvalue()


def packed(values: Image | None) -> bytes:
    """Return numbers as gzip of little endian float32, row by row."""
    return gzip.compress(np.ascontiguousarray(values, "<f4").tobytes(), _FAST, mtime=0)


def unpacked(content: bytes, shape: tuple[int, int]) -> Image:
    """Return the numbers (H, W) of `packed`."""
    return np.frombuffer(gzip.decompress(content), "<f4").reshape(shape).astype(np.float32)


Made = Callable[[Shown], bytes]
P_MAP = "p.bin.gz"
MADE: Mapping[str, tuple[str, Made]] = {
    "thumbnail.webp": ("heat", lambda shown: thumbnail(shown.grey, shown.heat, shown.scale)),
    "scan.png": ("pixels", lambda shown: png(shown.grey)),
    "map.bin.gz": ("heat", lambda shown: packed(shown.heat)),
    P_MAP: ("heat", lambda shown: packed(shown.p_map)),
    "mask.png": ("regions", lambda shown: png(shown.regions)),
    "prepared.png": ("prepared", lambda shown: png(shown.kept.prepared)),
    "reconstruction.png": ("reconstruction", lambda shown: png(shown.kept.reconstruction)),
}
"""By the name of a file: the array without which there is none, and how it is made."""


def _grey(picture: Image | None) -> NDArray[np.uint8] | None:
    return None if picture is None else np.asarray(np.rint(255 * np.clip(picture, 0, 1)), np.uint8)


def _rounded(values: Image) -> Image:
    """Return positive numbers to 0.4 %, which pack to less, and no smaller than they were."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.minimum(((bits + ~_KEPT_BITS) & _KEPT_BITS).view(np.float32), np.float32(1))


def listed(folder: Path) -> list[Entry]:
    """List what lies in the folder of a finding, and below it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Entry(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]
