"""Writing the copy of one scan, and of its mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as Pictures

from atypia.atomic import atomic
from atypia.equalising.equaliser import Equaliser
from atypia.equalising.settings import Settings
from atypia.errors import UnreadableScan
from atypia.reading.row import Row
from atypia.reading.rows import read_row, read_row_mask
from atypia.scan import Mask, Scan

_SUFFIXES = {"png": ".png", "jpeg": ".jpg"}


@dataclass(frozen=True)
class LeftOut:
    """A scan that has no copy, and why; `coarse` where it is merely too small."""

    row: Row
    why: str
    coarse: bool = False


@dataclass(frozen=True)
class CopyWriter:
    """Reads one scan after another and writes its copy."""

    out: Path
    settings: Settings
    equaliser: Equaliser

    def write(self, task: tuple[Row, int]) -> Row | LeftOut:
        """Write one copy and return its row, or why there is none."""
        row, number = task
        try:
            scan = read_row(row)
            mask = _mask(row, scan)
            shown = self.equaliser.picture(scan)
            marked = None if mask is None else self.equaliser.mask(scan, mask)
        except UnreadableScan as error:
            return LeftOut(row, error.brief)
        name = f"{number:05}{_SUFFIXES[self.settings.format]}"
        picture = self.out / "images" / name
        with atomic(picture) as temporary:
            image = Pictures.fromarray(shown)
            if self.settings.format == "jpeg":
                image.save(temporary, format="JPEG", quality=self.settings.quality)
            else:
                image.save(temporary, format="PNG")
        painted = None
        if marked is not None:
            painted = self.out / "masks" / f"{number:05}.png"
            with atomic(painted) as temporary:
                Pictures.fromarray(marked).save(temporary, format="PNG")
        return replace(row, path=picture, name=f"images/{name}", mask=painted, slice=None)


def _mask(row: Row, scan: Scan) -> Mask | None:
    if row.mask is None:
        return None
    mask = read_row_mask(row)
    if mask.shape != scan.pixels.shape:
        height, width = scan.pixels.shape
        raise UnreadableScan(
            row.mask, f"{width}x{height} pixels, as its scan has", f"{mask.shape[1]}x{mask.shape[0]}"
        )
    return mask
