"""What takes part in a comparison, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atypia.screener import Screener


@dataclass(frozen=True)
class Contestant:
    """A Screener to be fitted: `build` makes it, in another process; `settings` say what it depends on."""

    name: str
    build: Callable[[], Screener]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one contestant: the score of each scan by name, and what it cost; or why nothing came.

    `fit_seconds` is of the call that finished it; `peak_mib` is the largest memory of its process, fit and
    scoring together; `images_per_second` is from file to verdict, without heat maps. `simulated_auroc` and
    `simulated_precision` are of lesions simulated in healthy scans that it has not learned from.
    """

    name: str
    error: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    fit_seconds: float | None = None
    images_per_second: float | None = None
    peak_mib: float | None = None
    artefact_mib: float | None = None
    simulated_auroc: float | None = None
    simulated_precision: float | None = None

    @property
    def costs(self) -> dict[str, float | None]:
        """What it cost, by name."""
        return {
            "fit_seconds": self.fit_seconds,
            "images_per_second": self.images_per_second,
            "peak_mib": self.peak_mib,
            "artefact_mib": self.artefact_mib,
        }

    @property
    def simulated(self) -> dict[str, float | None]:
        """How well it found simulated lesions: by image, and by pixel."""
        return {"auroc": self.simulated_auroc, "precision": self.simulated_precision}
