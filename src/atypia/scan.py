"""The two nouns that every room shares: a scan that was read, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan as it was read.

    `pixels` is float32 of shape (H, W), grey, in the file's own units and orientation.
    `name` is what the user calls it (a path relative to the folder or table it came from).
    `spacing` is the size of a pixel in mm, (row, column), where known.
    `group` names the patient, or the cluster of near-copies, that it belongs to.
    """

    pixels: Image
    name: str
    path: Path | None = None
    spacing: tuple[float, ...] | None = None
    plane: str | None = None
    sequence: str | None = None
    modality: str | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Finding:
    """What a Screener says of one scan.

    `score` is in the detector's own units, higher is more abnormal; NaN where the scan could not be judged.
    `p_value` is the share of healthy calibration scans that score at least as high, in (0, 1].
    `flagged` is the decision at the Screener's threshold; None where the scan could not be judged.
    `heatmap` is float32 (H, W) on the pixels of the input, in the detector's units, 0 outside the head.
    `reconstruction` is float32 (S, S), what the detector expected to see, where it has such a picture.
    `error` says why a scan could not be judged.
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

    @property
    def verdict(self) -> str:
        """One word: `abnormal`, `normal` or `unreadable`."""
        if self.flagged is None:
            return "unreadable"
        return "abnormal" if self.flagged else "normal"
