"""How volumes become slices: in which planes they are cut, and whether their skull is taken off first."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE, BUILT_IN = "none", "built-in"
STRIPPING = (WHOLE, BUILT_IN, "synthstrip", "hd-bet", "deepbet")
"""The ways to take scalp and skull off a volume: not at all, our own, and tools that may be installed."""
MEAN = "mean"
"""The mean of the volumes that a file holds."""


@dataclass(frozen=True)
class Cutting:
    """How volumes become slices.

    `planes` are those in which to cut a volume whose row names none; without any it is cut in that of its
    acquisition. `strip` is the method, out of STRIPPING, that takes off scalp and skull. `volume` is which to
    take of NIfTI files that hold several and whose row names none: a number from 0, or MEAN.
    """

    planes: tuple[str, ...] = ()
    strip: str = WHOLE
    volume: str | None = None


AS_IT_IS = Cutting()
