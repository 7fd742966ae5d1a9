"""The files that show one judged picture: written at once, but for those that are drawn when asked for."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from atypia.overlay import HeatScale, grey_share, overlay
from atypia.scan import Finding, Image

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


@dataclass(frozen=True)
class Entry:
    """A file of a finding, as the database lists it; `size` is None for one that is drawn when asked for."""

    name: str
    size: int | None

    def values(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"name": self.name, "bytes": self.size, "media_type": _MEDIA[Path(self.name).suffix]}


def write_picture(finding: Finding, scan: Image, folder: Path, scale: HeatScale) -> list[Entry]:
    """Write what shows a picture (H, W) and its finding, which has a heat map, and list it; raise OSError."""
    heat = finding.heatmap
    if heat is None:
        return []
    grey = np.asarray(np.rint(255 * grey_share(scan)), np.uint8)
    written = [
        _put(folder, name, content)
        for name, content in (
            ("thumbnail.webp", thumbnail(grey, heat, scale)),
            ("scan.png", png(grey)),
            ("map.bin.gz", packed(heat)),
            *_others(finding),
        )
    ]
    return [*written, Entry("overlay.png", None), Entry("report.html", None)]


def _others(finding: Finding) -> Iterator[tuple[str, bytes]]:
    if finding.p_map is not None:
        yield "p.bin.gz", packed(_rounded(finding.p_map))
    if finding.region_map is not None:
        yield "mask.png", png(finding.region_map)
    for name, picture in (("prepared", finding.prepared), ("reconstruction", finding.reconstruction)):
        if picture is not None:
            yield f"{name}.png", png(np.asarray(np.rint(255 * np.clip(picture, 0, 1)), np.uint8))


def thumbnail(grey: NDArray[np.uint8], heat: Image, scale: HeatScale) -> bytes:
    """Return a small WebP of a scan (H, W) under its heat, whose highest places stay in sight."""
    step = max(1, max(grey.shape) // (2 * THUMBNAIL))
    rows, columns = (side // step * step for side in grey.shape)
    blocks = heat[:rows, :columns].reshape(rows // step, step, columns // step, step)
    small = np.asarray(blocks.max(axis=(1, 3)), np.float32)
    picture = overlay(np.asarray(grey[:rows:step, :columns:step], np.float32), small, scale)
    image = PIL.Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=80, method=0)
    return file.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG, made fast."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG", compress_level=_FAST)
    return file.getvalue()


def packed(values: Image) -> bytes:
    """Return numbers as gzip of little endian float32, row by row."""
    return gzip.compress(np.ascontiguousarray(values, "<f4").tobytes(), _FAST, mtime=0)


def unpacked(content: bytes, shape: tuple[int, int]) -> Image:
    """Return the numbers (H, W) of `packed`."""
    return np.frombuffer(gzip.decompress(content), "<f4").reshape(shape).astype(np.float32)


def _rounded(values: Image) -> Image:
    """Return positive numbers to 0.4 %, which pack to less, and no smaller than they were."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.minimum(((bits + ~_KEPT_BITS) & _KEPT_BITS).view(np.float32), np.float32(1))


def _put(folder: Path, name: str, content: bytes) -> Entry:
    (folder / name).write_bytes(content)
    return Entry(name, len(content))


def listed(folder: Path) -> list[Entry]:
    """List what lies in the folder of a finding, and below it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Entry(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]
