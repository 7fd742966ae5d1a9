"""The files that show one judged picture: made when somebody asks for them, of the arrays that are kept."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.overlay import HeatScale, grey_share, overlay
from atypia.scan import Finding, Image
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


def write_picture(finding: Finding, scan: Image, folder: Path) -> list[Entry]:
    """Keep what shows a picture (H, W) and its finding, which has a heat map, and list it; raise OSError."""
    if finding.heatmap is None:
        return []
    kept = Kept(
        grey=np.asarray(np.rint(255 * grey_share(scan)), np.uint8),
        heat=finding.heatmap,
        p_map=None if finding.p_map is None else _rounded(finding.p_map),
        regions=finding.region_map,
        prepared=_grey(finding.prepared),
        reconstruction=_grey(finding.reconstruction),
    )
    keep(kept, folder / NAME)
    return [Entry(name, None) for name, (part, _) in MADE.items() if getattr(kept, part) is not None] + [
        Entry(name, None) for name in DRAWN
    ]


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


Made = Callable[[Kept, HeatScale], bytes]
MADE: Mapping[str, tuple[str, Made]] = {
    "thumbnail.webp": ("heat", lambda kept, scale: thumbnail(kept.grey, kept.heat, scale)),
    "scan.png": ("grey", lambda kept, _: png(kept.grey)),
    "map.bin.gz": ("heat", lambda kept, _: packed(kept.heat)),
    "p.bin.gz": ("p_map", lambda kept, _: packed(kept.p_map)),
    "mask.png": ("regions", lambda kept, _: png(kept.regions)),
    "prepared.png": ("prepared", lambda kept, _: png(kept.prepared)),
    "reconstruction.png": ("reconstruction", lambda kept, _: png(kept.reconstruction)),
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
