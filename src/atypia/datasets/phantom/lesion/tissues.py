"""What a lesion must know of the slice that it grows in."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.scan import Image, Mask


@dataclass(frozen=True, eq=False)
class Tissues:
    """Maps of one slice, all float32 (H, W).

    `brain` (everything inside the skull, fluid too), `white` (white matter) and `fluid` are in [0, 1].
    `depth` is the distance to the brain's outer edge in pixels, positive inside.
    `side` is the distance to the midline in pixels, negative on one side; None where it is not known.
    """

    brain: Image
    white: Image
    fluid: Image
    depth: Image
    side: Image | None = None

    @property
    def parenchyma(self) -> Mask:
        """Where there is brain that is not fluid."""
        return (self.brain > 0.5) & (self.fluid < 0.3)
