"""Taking scalp and skull off a volume, by a light method of our own or by a tool that is installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atypia.errors import BadOption
from atypia.reading.cutting import BUILT_IN, STRIPPING, WHOLE
from atypia.reading.stripping.brain import brain_mask
from atypia.reading.stripping.tools import TOOLS, mask_by_tool, program_of
from atypia.reading.volume import Volume

__all__ = ["brain_mask", "check_method", "mask_by_tool", "strip"]


def check_method(method: str) -> None:
    """Raise BadOption for a method that does not exist, MissingTool for one that is not installed."""
    if method not in STRIPPING:
        raise BadOption(f"Expected --strip out of {', '.join(STRIPPING)}; received {method!r}.")
    if method in TOOLS:
        program_of(method)


def strip(volume: Volume, method: str) -> Volume:
    """Return a volume with all but the brain set to its lowest value; by `none` as it is.

    A note says how much of the volume was kept. Raises as `check_method`, `brain_mask` and `mask_by_tool` do.
    """
    check_method(method)
    if method == WHOLE:
        return volume
    mask = brain_mask(volume) if method == BUILT_IN else mask_by_tool(volume, method)
    pixels = np.where(mask, volume.pixels, volume.pixels.min())
    millilitres = np.count_nonzero(mask) * float(np.prod(volume.spacing)) / 1000
    note = f"skull taken off ({method}): {millilitres:.0f} ml kept"
    return replace(volume, pixels=pixels, notes=(*volume.notes, note))
