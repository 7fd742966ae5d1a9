"""Reading what a Row names: a picture, or a slice of a volume, and the mask of either."""

from __future__ import annotations

from dataclasses import replace

from atypia.errors import UnreadableScan
from atypia.reading.head_extent import position
from atypia.reading.picture import read_mask, read_picture
from atypia.reading.row import Row
from atypia.reading.volumes import is_volume, list_slices, mask_slice, open_volume
from atypia.scan import Mask, Scan


def read_row(row: Row, *, enough: int | None = None) -> Scan:
    """Read the scan of a row under the row's name and with its group; `enough` is as in `read_picture`.

    Raises UnreadableScan.
    """
    if row.slice is not None and row.plane is not None:
        volume = open_volume(row.path, row.strip, row.volume)
        scan = volume.slice(row.plane, row.slice)
        place = position(volume, row.plane, row.slice)
        return replace(scan, name=row.name, group=row.group, position=place)
    if is_volume(row.path):
        list_slices(row)  # gives the reason why there are none
        raise UnreadableScan(row.path, "a slice of a volume", "a whole volume")
    return read_picture(row.path, name=row.name, group=row.group, enough=enough)


def read_row_mask(row: Row) -> Mask:
    """Read the mask (H, W) that a row names, of a picture or of a slice; raise UnreadableScan."""
    if row.mask is None:
        raise ValueError(f"{row.name}: expected a row with a mask")
    return read_mask(row.mask) if row.slice is None else mask_slice(row)
