"""From scores to findings: what the threshold says, and the map on the pixels of the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from atypia.detectors import Scores
from atypia.loading import Loaded
from atypia.preparation import Prepared
from atypia.scan import Finding
from atypia.threshold import Threshold


@dataclass(frozen=True, eq=False)
class Judge:
    """Makes findings: with `heatmaps` the map, with `pictures` what the detector saw and expected."""

    threshold: Threshold
    heatmaps: bool
    pictures: bool

    def findings(self, part: Sequence[Loaded], scores: Scores | None) -> Iterator[Finding]:
        """Yield a finding for each; `scores` are, in order, those of the ones that could be prepared."""
        place = 0
        for item in part:
            if item.prepared is None or scores is None:
                yield self._unjudged(item.name, str(item.error))
                continue
            if math.isfinite(scores.image[place]):
                yield self._judged(item.name, item.prepared, scores, place)
            else:
                yield self._unjudged(item.name, "The detector gave no finite score.")
            place += 1

    def _unjudged(self, name: str, error: str) -> Finding:
        return Finding(name, math.nan, math.nan, None, self.threshold.value, error=error)

    def _judged(self, name: str, prepared: Prepared, scores: Scores, place: int) -> Finding:
        score = float(scores.image[place])
        expected = scores.reconstruction
        return Finding(
            name,
            score,
            float(self.threshold.p_values(score)),
            bool(self.threshold.flags(score)),
            self.threshold.value,
            heatmap=prepared.geometry.to_input(scores.map[place]) if self.heatmaps else None,
            reconstruction=expected[place] if self.pictures and expected is not None else None,
            prepared=prepared.pixels if self.pictures else None,
        )
