"""Pictures that are the same on every machine: drawn by formula, with no random number."""

from __future__ import annotations

import numpy as np

from atypia.scan import Scan

SIDE = 256
COUNT = 4


def heads() -> list[Scan]:
    """Return scans of drawn heads, each a little different; the last two with a bright and a dark spot."""
    return [_head(number) for number in range(COUNT)]


def _head(number: int) -> Scan:
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    skull = (rows / (0.44 - 0.01 * number)) ** 2 + (columns / (0.36 + 0.005 * number)) ** 2
    brain = (rows / 0.38) ** 2 + (columns / 0.3) ** 2
    fluid = (rows / 0.12) ** 2 + ((np.abs(columns) - 0.05) / 0.03) ** 2
    folds = 0.05 * np.sin(60 * rows + 9 * number) * np.cos(55 * columns) * (brain < 1)
    pixels = 0.75 * (skull < 1) - 0.3 * (brain < 1) - 0.2 * (fluid < 1) + folds
    spot = (rows - 0.12) ** 2 + (columns + 0.14) ** 2 < 0.06**2
    pixels = pixels + {2: 0.45, 3: -0.4}.get(number, 0.0) * spot
    levels = np.clip(np.round(255 * pixels), 0, 255)  # whole numbers: the last digit of a sine does not count
    return Scan(levels.astype(np.float32), f"drawn-{number}")
