"""The connected parts of a mask: what a pixel is a share of, and what is to be found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

WHOLE = 1 << 40
"""The share of a whole region: shares are whole numbers, so that they add up alike in any order."""

TOUCHING = np.ones((3, 3), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class MaskRegions:
    """Regions of a mask (H, W), corners touching: `parts` (H, W) is 0 outside them, else 1 to `count`."""

    mask: NDArray[np.bool_]
    parts: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> MaskRegions:
        """Find the regions of a mask (H, W)."""
        if not mask.any():
            return cls(mask, np.zeros(mask.shape, np.intp), 0)
        parts, count = label(mask, TOUCHING)
        return cls(mask, parts.astype(np.intp), int(count))

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """The pixels of each region, (count,)."""
        return np.bincount(self.parts.ravel(), minlength=self.count + 1)[1:]

    @property
    def shares(self) -> NDArray[np.int64]:
        """What share of its region each masked pixel is, in units of 1/WHOLE, in the order of the mask."""
        return np.asarray(np.rint(WHOLE / self.sizes), dtype=np.int64)[self.parts[self.mask] - 1]
