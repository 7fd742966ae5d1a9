"""The two nouns that every room shares: a scan that was read, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e30
"""Values of pixels beyond it are none: their differences and sums would overflow."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """One connected place of the heat map that is unlike healthy scans, on the pixels of the input.

    `area` is in pixels, `area_mm2` in square millimetres where the spacing is known.
    `peak` and `mean` are of the map inside it, in the detector's units. `p_value` is the share of healthy
    scans of which some region is as striking, in (0, 1].
    `centre` is (row, column); `box` is (top, left, bottom, right), the last two exclusive.
    """

    area: int
    peak: float
    mean: float
    p_value: float
    centre: tuple[float, float]
    box: tuple[int, int, int, int]
    area_mm2: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan as it was read.

    `pixels` is float32 of shape (H, W), grey, in the file's own units and orientation.
    `name` is what the user calls it (a path relative to the folder or table it came from).
    `spacing` is the size of a pixel in mm, (row, column), where known.
    `group` names the patient, or the cluster of near-copies, that it belongs to.
    `position` is where a slice of a volume lies along the head, in [0, 1], from its inferior, posterior or
    right end; None where it is not known, as for every picture.
    """

    pixels: Image
    name: str
    path: Path | None = None
    spacing: tuple[float, ...] | None = None
    plane: str | None = None
    sequence: str | None = None
    modality: str | None = None
    scanner: str | None = None
    group: str | None = None
    position: float | None = None


@dataclass(frozen=True, eq=False)
class Finding:
    """What a Screener says of one scan.

    `score` is in the detector's own units, higher is more abnormal; NaN where the scan could not be judged.
    `p_value` is the share of healthy calibration scans that score at least as high, in (0, 1].
    `flagged` is the decision at the Screener's threshold; None where the scan could not be judged.
    `stratum` names the calibration scans that it was compared with; None where that was all of them.
    `heatmap` is float32 (H, W) on the pixels of the input, in the detector's units, 0 outside the head.
    `reconstruction` is float32 (S, S), what the detector expected to see, where it has such a picture.
    `regions` are the places of the map that are unlike healthy scans, the most unlike first.
    `region_map` is uint8 (H, W) beside the heat map: k inside the k-th of the regions, 0 elsewhere.
    `p_map` is float32 (H, W) beside the heat map: the share of healthy scans' pixels as deep in the head that
    are as high, in (0, 1], 1 outside the head; see HealthyMap.p_values.
    `unfit` says why a scan, though it could be read and scored, is not one that may be judged.
    `error` says why a scan could not be read or scored.
    """

    name: str
    score: float
    p_value: float
    flagged: bool | None
    threshold: float
    heatmap: Image | None = None
    reconstruction: Image | None = None
    prepared: Image | None = None
    error: str | None = None
    stratum: str | None = None
    unfit: str | None = None
    regions: tuple[Region, ...] = ()
    region_map: NDArray[np.uint8] | None = None
    p_map: Image | None = None

    @property
    def verdict(self) -> str:
        """One word: `abnormal`, `normal`, `unfit` or `unreadable`."""
        if self.unfit is not None:
            return "unfit"
        if self.flagged is None:
            return "unreadable"
        return "abnormal" if self.flagged else "normal"
