"""From scores to findings: what the threshold says, and the map on the pixels of the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from atypia.detectors import Scores
from atypia.loading import Loaded
from atypia.preparation import Prepared
from atypia.reading.row import Row
from atypia.scan import Finding, Image, Scan
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.origin import how_taken
from atypia.screener.position_scale import PositionScale
from atypia.screener.regions import Found
from atypia.threshold import Threshold


@dataclass(frozen=True, eq=False)
class Judge:
    """Makes findings: with `heatmaps` the map, with `pictures` what the detector saw and expected.

    With `p_maps` findings tell of each pixel how unusual it is, where the `healthy_map` knows.
    With a `healthy_map` the regions that are unlike healthy scans are told, always. With a `position_scale`
    scores are in its unit, and slices are compared with those of their position.
    """

    threshold: Threshold
    heatmaps: bool
    pictures: bool
    healthy_map: HealthyMap | None = None
    position_scale: PositionScale | None = None
    p_maps: bool = False

    def findings(
        self, part: Sequence[Loaded], scores: Scores | None, unfit: Sequence[str | None] | None = None
    ) -> Iterator[Finding]:
        """Yield a finding for each; `scores` are, in order, those of the ones that could be prepared.

        `unfit` says of the same ones why they may not be judged, None where they may.
        """
        place = 0
        for item in part:
            if item.prepared is None or scores is None:
                yield self._unjudged(item, item.error.brief if item.error else "It was not scored.")
                continue
            if math.isfinite(scores.image[place]):
                yield self._judged(item, item.prepared, scores, place, unfit[place] if unfit else None)
            else:
                yield self._unjudged(item, "The detector gave no finite score.")
            place += 1

    def _unjudged(self, item: Loaded, error: str) -> Finding:
        threshold, stratum = self.threshold.for_scan(how_taken(item.source))
        return Finding(item.name, math.nan, math.nan, None, threshold.value, error=error, stratum=stratum)

    def _judged(
        self, item: Loaded, prepared: Prepared, scores: Scores, place: int, unfit: str | None
    ) -> Finding:
        score, threshold, stratum = self.compared(item.source, item.position, float(scores.image[place]))
        expected = scores.reconstruction
        found = self._found(item, prepared, scores.map[place]) if unfit is None else None
        return Finding(
            item.name,
            score,
            float(threshold.p_values(score)),
            bool(threshold.flags(score)) if unfit is None else None,
            threshold.value,
            heatmap=prepared.geometry.to_input(scores.map[place]) if self.heatmaps else None,
            reconstruction=expected[place] if self.pictures and expected is not None else None,
            prepared=prepared.pixels if self.pictures else None,
            stratum=stratum,
            unfit=unfit,
            regions=() if found is None else found.regions,
            region_map=found.to_input(prepared.geometry) if self.heatmaps and found is not None else None,
            p_map=self._p_map(prepared, scores.map[place]) if self.p_maps else None,
        )

    def compared(
        self, source: Row | Scan, position: float | None, score: float
    ) -> tuple[float, Threshold, str | None]:
        """Return a score in its final unit, the threshold that it is compared with, and its stratum."""
        scale, known = self.position_scale, True
        how = how_taken(source)
        if scale is not None:
            score, known = scale.standardised(score, position, how["plane"])
        if scale is None or known:
            return (score, *self.threshold.for_scan(how))
        threshold, stratum = replace(self.threshold, calibration=scale.unplaced).for_scan(how)
        return score, threshold, "position not known" if stratum is None else f"{stratum}, position not known"

    def _p_map(self, prepared: Prepared, heat: Image) -> Image | None:
        """Return the p-values of a map (S, S) on the pixels of the input, where they can be told."""
        found = None if self.healthy_map is None else self.healthy_map.p_values(heat, prepared.foreground)
        if found is None:
            return None
        # What lies outside the canvas comes back as 0, which stands for 1.
        return 1 - prepared.geometry.to_input((1 - found).astype(np.float32))

    def _found(self, item: Loaded, prepared: Prepared, heat: Image) -> Found | None:
        return None if self.healthy_map is None else self.healthy_map.find(heat, prepared, item.spacing)
