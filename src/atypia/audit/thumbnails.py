"""Small pictures of scans as addresses with the picture in them, so that a page needs no other file."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
import PIL.Image

from atypia.errors import UnreadableScan
from atypia.reading.row import Row
from atypia.reading.rows import read_row

SIDE = 132
_QUALITY = 72


def thumbnail_address(row: Row) -> str | None:
    """Return a scan, at most SIDE pixels a side, as a `data:` address; None where it cannot be read.

    Its greys are stretched between the 0.5th and the 99.5th percentile, and its shape is kept.
    """
    try:
        pixels = read_row(row).pixels
    except UnreadableScan:
        return None
    picture = PIL.Image.fromarray(pixels)
    scale = SIDE / max(picture.size)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, PIL.Image.Resampling.BOX)
    small = np.asarray(picture)
    low, high = np.percentile(small, [0.5, 99.5])
    grey = np.clip((small - low) * (255 / max(float(high - low), 1e-9)), 0, 255).astype(np.uint8)
    file = BytesIO()
    PIL.Image.fromarray(grey).save(file, format="JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode('ascii')}"
