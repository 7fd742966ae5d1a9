"""What the detectors that compare with an atlas of healthy scans share: fit, save and load."""

from __future__ import annotations

from typing import Any, Self

from atypia.detectors.base import Detector, State
from atypia.detectors.batch import PreparedSet, batches
from atypia.detectors.fit_context import FitContext
from atypia.detectors.healthy_atlas import HealthyAtlas, kept_places
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans

FEWEST = 10
AT_ONCE = 64


class BankDetector(Detector):
    """A detector that has a `HealthyAtlas` and a few numbers as settings, each 0 or more."""

    def __init__(self, threads: int | None = None, **settings: float) -> None:
        self.threads, self.settings = threads, settings
        for name, value in settings.items():
            least = 2 if name == "retrieved" else 0
            if not value >= least:
                raise BadOption(f"Expected {name} of at least {least}; received {value}.")
        if not 0 < settings["top"] <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {settings['top']}.")

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Fill the atlas, with at most 4000 scans; raise NotEnoughScans below 10."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector '{self.name}' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        kept = kept_places(len(healthy), context.seed)
        parts = (healthy.batch(kept[part]) for part in batches(len(kept), AT_ONCE))
        self.atlas_ = HealthyAtlas.learn(parts, int(self.settings["retrieved"]))
        return self

    @property
    def _atlas(self) -> HealthyAtlas:
        if "atlas_" not in self.__dict__:
            raise BadOption(
                f"This detector '{self.name}' has not been fitted: call fit, or load a saved one."
            )
        return self.atlas_

    def state(self) -> State:
        """Return settings and atlas."""
        return State({"settings": dict(self.settings)}, self._atlas.arrays())

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            given: dict[str, Any] = state.parameters["settings"]
            self = cls(threads=threads, **given)
            self.atlas_ = HealthyAtlas.of_arrays(state.arrays, int(given["retrieved"]))
        except (KeyError, TypeError, ValueError, AttributeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector '{cls.name}' cannot be used: {error}.") from error
        return self
