"""How simulated lesions vary."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.errors import BadOption

Range = tuple[float, float]


@dataclass(frozen=True)
class LesionSettings:
    """Ranges of simulated lesions; lengths as shares of the canvas, all others as shares of 1.

    `radius` and `contrast` are drawn log-uniformly; a contrast of 0.5 is half as bright again as the tissue
    around. `bright` is the share that is brighter than it, the others are darker. `edge` is the softness in
    radii. `core` is the share of the large ones with another centre, `ring` that of those with a bright rim
    around a dark centre, `tissue` that of those that keep to the brighter, or the darker, tissue, `mass` that
    of those that push the brain aside. `several` is the share of scans with a second lesion, `healthy` that
    with none. `skull` is how deep below the surface of the head a lesion ends. Raises BadOption for a range
    that is none, or a share outside [0, 1].
    """

    radius: Range = (0.04, 0.235)
    contrast: Range = (0.12, 1.2)
    edge: Range = (0.04, 0.45)
    bright: float = 0.85
    core: float = 0.3
    ring: float = 0.0
    tissue: float = 0.0
    several: float = 0.15
    healthy: float = 0.3
    skull: float = 0.055
    mass: float = 0.0

    def __post_init__(self) -> None:
        for name in ("radius", "contrast", "edge"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise BadOption(f"Expected {name} as two numbers, 0 < low <= high; received {low}, {high}.")
        for name in ("bright", "core", "ring", "tissue", "mass", "several", "healthy"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadOption(f"Expected {name} in [0, 1]; received {getattr(self, name)}.")
        if not 0 <= self.skull < 0.5:
            raise BadOption(f"Expected skull from 0 to below 0.5; received {self.skull}.")
