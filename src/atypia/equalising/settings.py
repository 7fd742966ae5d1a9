"""How a set is made alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from atypia.equalising.equaliser import Around
from atypia.errors import BadOption

Format = Literal["png", "jpeg"]

LEAST_RESOLUTION = 16


@dataclass(frozen=True)
class Settings:
    """How a set is made alike; raises BadOption for what makes no sense.

    Pictures get `side` pixels a side. `resolution` is how many of these the head's canvas may really show;
    None: as many as the smallest head covers, and no more than `side`. `leave_out` percent of the scans,
    those of the smallest heads, are left out of that, as they would be less sharp than the others.
    `quality` is for JPEG.
    """

    side: int = 224
    resolution: int | None = None
    leave_out: float = 0.0
    around: Around = "blank"
    format: Format = "png"
    quality: int = 90

    def __post_init__(self) -> None:
        if not 32 <= self.side <= 2048:
            raise BadOption(f"side: expected 32 to 2048 pixels, received {self.side}.")
        if self.resolution is not None and not LEAST_RESOLUTION <= self.resolution <= self.side:
            raise BadOption(
                f"resolution: expected {LEAST_RESOLUTION} pixels to those of the side, {self.side}, "
                f"received {self.resolution}."
            )
        if not 0 <= self.leave_out < 100:
            raise BadOption(f"leave_out: expected 0 to below 100 percent, received {self.leave_out:g}.")
        if not 1 <= self.quality <= 100:
            raise BadOption(f"quality: expected 1 to 100, received {self.quality}.")
